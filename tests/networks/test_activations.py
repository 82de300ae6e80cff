"""Activations by name; their numbers are compared with Keras' in test_oracle."""

import pytest
import torch

from rmldnn.errors import NetworkError
from rmldnn.networks.activations import ALIASES, HALVING, STEPS, find


@pytest.mark.parametrize("name", sorted({*STEPS} - {HALVING}))
def test_shapes_stay(name):
    x = torch.randn(2, 3, 4)
    assert find(name).step(x).shape == x.shape


@pytest.mark.parametrize("name", [None, "linear", "Linear"])
def test_linear_does_nothing(name):
    assert find(name).step is None


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_aliases_mean_the_same(alias):
    assert find(alias) == find(ALIASES[alias])


def test_names_are_matched_without_regard_to_case():
    assert find("ReLU").name == "relu"


def test_softmax_works_along_the_channels():
    torch.testing.assert_close(find("softmax").step(torch.randn(2, 3, 4, 4)).sum(1), torch.ones(2, 4, 4))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", ["log_sigmoid", "log_softmax", "sigmoid", "softmax"])
def test_probabilities_have_32_bits_where_layers_compute_with_16(name, dtype):
    scores = torch.tensor([[-9.0, 9.0], [3.0, 4.0]])
    with torch.autocast("cpu", dtype):
        assert torch.equal(find(name).step(scores.to(dtype)), find(name).step(scores))
    assert find(name).step(scores.to(dtype)).dtype is dtype


def test_softplus_is_exact_in_float64():
    x = torch.tensor([21.0], dtype=torch.float64)
    assert find("softplus").step(x) > x


def test_an_unknown_name_is_refused_with_a_near_miss():
    with pytest.raises(NetworkError, match=r"unknown activation `rellu`; did you mean `relu`\?"):
        find("rellu")


X = torch.tensor([[-2.0, -0.5, 0.0, 0.25, 3.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hard_shrink", [-2, 0, 0, 0, 3]),
        ("hard_tanh", [-1, -0.5, 0, 0.25, 1]),
        ("soft_shrink", [-1.5, 0, 0, 0, 2.5]),
        ("sparse_plus", [0, 0.0625, 0.25, 0.390625, 3]),
        ("sparse_sigmoid", [0, 0.25, 0.5, 0.625, 1]),
        ("sparsemax", [0, 0, 0, 0, 1]),
        ("squareplus", [0.41421356, 0.78077641, 1, 1.13278222, 3.30277564]),
        ("tanh_shrink", [-1.03597242, -0.03788284, 0, 0.00508134, 2.00494525]),
    ],
)
def test_formulas_of_keras_3(name, expected):
    torch.testing.assert_close(find(name).step(X), torch.tensor([expected], dtype=torch.float64))


@pytest.mark.parametrize(
    "function",
    [
        {"class_name": "function", "config": "relu", "module": "builtins", "registered_name": "function"},
        {"class_name": "function", "config": None, "registered_name": "relu"},
    ],
)
def test_a_function_may_be_an_object(function):
    assert find(function).name == "relu"


@pytest.mark.parametrize(("keras", "expected"), [(2, 0.7), (3, 2 / 3)])
def test_a_function_means_what_its_generation_of_keras_computes(keras, expected):
    step = find({"class_name": "function", "config": "hard_sigmoid"}, keras=keras).step
    assert step(torch.ones(1)).item() == pytest.approx(expected)


def test_a_layer_may_be_an_activation():
    step = find({"class_name": "LeakyReLU", "config": {"name": "a", "trainable": True, "alpha": 0.5}}).step
    assert step(torch.tensor([-2.0])).item() == -1


def test_a_layer_knows_the_axes_of_what_it_is_applied_to():
    step = find({"class_name": "Softmax", "config": {"axis": 1}}, (4, 3)).step
    torch.testing.assert_close(step(torch.rand(2, 3, 4)).sum(2), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("glu", "apply it in an `Activation` layer of its own"),
        ({"class_name": "PReLU", "config": {"shared_axes": [1]}}, "cannot be the activation of another layer"),
        ({"class_name": "Softmax", "config": {"axis": 1}}, "must be -1"),
        ({"class_name": "Gelou", "config": {}}, "unknown layer class `Gelou`"),
        ({"name": "relu"}, "an object with `class_name`"),
    ],
)
def test_what_cannot_be_an_activation_is_refused(choice, message):
    with pytest.raises(NetworkError, match=message):
        find(choice)
