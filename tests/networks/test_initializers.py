"""Initial values have the spread that Keras gives them."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from rmldnn.errors import NetworkError
from rmldnn.networks.initializers import Fans, fans, find, initialized
from rmldnn.networks.variable import Variable

KERNEL = Variable("kernel", "weight", (3, 3, 3, 4), (3, 2, 0, 1))
BIAS = Variable("bias", "bias", (4,))
INPUTS, OUTPUTS = 64 * 9, 32 * 9


def filled(choice, shape=(3, 3, 64, 32)):
    torch.manual_seed(0)
    weight = torch.full(shape, math.nan)
    find(choice, "weight")(weight)
    return weight


def test_fans_count_the_window():
    assert fans((3, 3, 64, 32)) == Fans(INPUTS, OUTPUTS)


def test_fans_of_a_bias_are_its_length():
    assert fans((5,)) == Fans(5, 5)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("GlorotUniform", 2 / (INPUTS + OUTPUTS)),
        ("glorot_normal", 2 / (INPUTS + OUTPUTS)),
        ("HeUniform", 2 / INPUTS),
        ("he_normal", 2 / INPUTS),
        ("LecunUniform", 1 / INPUTS),
        ("lecun_normal", 1 / INPUTS),
        ("VarianceScaling", 1 / INPUTS),
        ("RandomNormal", 0.05**2),
        ("RandomUniform", 0.05**2 / 3),
        ("TruncatedNormal", (0.05 * 0.8796) ** 2),
    ],
)
def test_random_values_have_the_variance_of_their_name(name, variance):
    assert filled(name).var().item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", INPUTS), ("fan_out", OUTPUTS), ("fan_avg", (INPUTS + OUTPUTS) / 2)]
)
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal", "untruncated_normal"])
def test_variance_scaling_divides_by_the_fan(mode, fan, distribution):
    config = {"scale": 3.0, "mode": mode, "distribution": distribution, "seed": None, "dtype": "float32"}
    weight = filled({"class_name": "VarianceScaling", "config": config})
    assert weight.var().item() == pytest.approx(3 / fan, rel=0.05)


def test_truncated_values_stay_within_two_deviations():
    assert filled("TruncatedNormal").abs().max() <= 0.1


@pytest.mark.parametrize(
    ("choice", "value"), [("zeros", 0), ("Ones", 1), ({"class_name": "Constant", "config": {"value": 0.25}}, 0.25)]
)
def test_constants(choice, value):
    assert torch.equal(filled(choice, (3, 2)), torch.full((3, 2), float(value)))


def test_orthogonal_rows_are_orthogonal():
    weight = filled({"class_name": "Orthogonal", "config": {"gain": 2.0}}, (8, 16))
    torch.testing.assert_close(weight @ weight.T, 4 * torch.eye(8))


def test_the_window_of_an_orthogonal_kernel_counts_as_inputs():
    matrix = filled("Orthogonal", (3, 3, 2, 8)).reshape(18, 8)
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(8))


def test_identity():
    assert torch.equal(filled("Identity", (3, 3)), torch.eye(3))


def test_a_seed_fixes_the_values_and_leaves_torchs_generator_alone():
    choice = {"class_name": "GlorotUniform", "config": {"seed": 7}}
    first = filled(choice)
    following = torch.rand(1)
    find(choice, "weight")(other := torch.empty(3, 3, 64, 32))
    assert torch.equal(first, other)
    torch.manual_seed(0)
    assert torch.equal(following, torch.rand(1))


def test_layers_that_name_none_start_as_in_torch():
    torch.manual_seed(5)
    expected = nn.Conv2d(3, 4, 3)
    torch.manual_seed(5)
    module = initialized(nn.Conv2d, 3, 4, 3, variables=[KERNEL, BIAS])
    assert torch.equal(module.weight, expected.weight)
    assert torch.equal(module.bias, expected.bias)


def test_one_parameter_may_be_named_alone():
    kernel = Variable("kernel", "weight", (4, 5), (1, 0))
    module = initialized(nn.Linear, 4, 5, variables=[kernel, replace(BIAS, shape=(5,), initializer="zeros")])
    assert module.bias.abs().sum() == 0
    assert 0 < module.weight.abs().max() <= 0.5


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        ("GlorotUnifrom", "unknown initializer `GlorotUnifrom` of its weight; did you mean `GlorotUniform`?"),
        ({"class_name": "Constant", "config": {"valeu": 1}}, "did you mean `value`?"),
        ({"class_name": "RandomNormal", "config": {"stddev": -1}}, "must be a number at least 0, got -1"),
        ({"class_name": 3}, "must be a name or an object with one"),
        ({"class_name": "GlorotUniform", "config": {"input_axes": [0]}}, "unknown key"),
        (
            {"class_name": "GlorotUniform", "config": {"seed": 2**70}},
            "initializer of its weight.seed: must fit into 64",
        ),
        ({"class_name": "VarianceScaling", "config": {"scale": math.inf}}, "initializer of its weight.scale: must be"),
    ],
)
def test_faults_are_named(choice, fault):
    with pytest.raises(NetworkError) as caught:
        find(choice, "weight")
    assert fault in str(caught.value)


@pytest.mark.parametrize("name", ["Orthogonal", "Identity"])
def test_matrices_do_not_fill_vectors(name):
    with pytest.raises(NetworkError):
        filled(name, (4,))


@pytest.mark.parametrize(
    ("name", "config", "fault"),
    [
        ("RandomUniform", {"minval": 1, "maxval": -1}, "`minval` 1 of `RandomUniform` is above `maxval` -1; swap them"),
        ("RandomUniform", {"maxval": 1e300}, 'initializer of its weight: {"maxval": 1e+300} cannot be drawn'),
        ("VarianceScaling", {"scale": 10**400}, "initializer of its weight"),
    ],
)
def test_values_that_cannot_be_drawn_are_refused(name, config, fault):
    with pytest.raises(NetworkError) as caught:
        filled({"class_name": name, "config": config})
    assert fault in str(caught.value)


def test_modules_too_large_for_memory_are_refused_with_their_size():
    with pytest.raises(NetworkError) as caught:
        initialized(nn.Linear, 2**25, 2**25, variables=[Variable("kernel", "weight", (2**25, 2**25), (1, 0))])
    assert str(caught.value) == (f"its {2**50:,} parameters do not fit into memory; make the layer smaller")


def test_modules_are_of_their_own_class():
    assert type(initialized(nn.Linear, 2, 3, variables=[])) is nn.Linear


def test_building_loads_no_compiler():
    code = (
        "import sys, torch; from rmldnn.networks.layers.convolution import conv2d;"
        "before = set(sys.modules);"
        "conv2d((9, 9, 1), filters=2, kernel_size=3, kernel_initializer='glorot_uniform', bias_initializer='zeros');"
        "heavy = {'sympy', 'torch._dynamo', 'torch.fx.experimental.symbolic_shapes'};"
        "sys.exit(bool(heavy & (set(sys.modules) - before)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
