import subprocess
import sys

import pytest
import torch
from torch import nn

from rmldnn.component import form
from rmldnn.errors import ConfigError
from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.groups import check_groups, groups, parameter_groups
from rmldnn.optimizers.hessian import hessian
from rmldnn.optimizers.sgd import sgd

KEYS = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8, "amsgrad": False}


def network():
    encoder = nn.Sequential()
    encoder.add_module("conv", nn.Conv2d(1, 2, 3))
    encoder.add_module("norm", nn.BatchNorm2d(2))
    whole = nn.Sequential()
    whole.add_module("encoder", encoder)
    whole.add_module("encoder_2", nn.Linear(2, 2))
    whole.add_module("head", nn.Linear(2, 2))
    return whole


def names(model, found):
    by_id = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[by_id[id(parameter)] for parameter in group["params"]] for group in found]


ENCODER = ["encoder.conv.weight", "encoder.conv.bias", "encoder.norm.weight", "encoder.norm.bias"]
SECOND = ["encoder_2.weight", "encoder_2.bias"]
HEAD = ["head.weight", "head.bias"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"layers": "encoder"}, ENCODER),
        ({"layers": "encoder.*"}, ENCODER + SECOND),
        ({"layers": r"encoder\.conv"}, ENCODER[:2]),
        ({"layers": "encoder_2|head"}, SECOND + HEAD),
        ({"kinds": ["norm"]}, ["encoder.norm.weight"]),
        ({"kinds": ["bias"]}, ["encoder.conv.bias", "encoder.norm.bias", "encoder_2.bias", "head.bias"]),
        ({"layers": "encoder", "kinds": ["bias", "norm"]}, ENCODER[1:]),
    ],
)
def test_an_entry_takes_the_layers_that_it_names_and_the_rest_comes_first(entry, expected):
    model = network()
    rest, taken = names(model, parameter_groups(model, [entry], KEYS))
    assert taken == expected
    assert rest == [name for name, _ in model.named_parameters() if name not in expected]


def test_the_first_entry_that_matches_wins():
    model = network()
    found = names(model, parameter_groups(model, [{"layers": r"encoder\.norm"}, {"layers": "encoder"}], KEYS))
    assert found == [SECOND + HEAD, ENCODER[2:], ENCODER[:2]]


def test_without_a_rest_there_is_no_group_of_it():
    model = network()
    assert names(model, parameter_groups(model, [{"layers": ".*"}], KEYS)) == [ENCODER + SECOND + HEAD]


def test_keys_are_called_as_torch_does_and_a_pair_is_completed():
    entry = {"layers": "head", "learning_rate": 1e-5, "weight_decay": 0.1, "beta2": 0.5}
    _, head = parameter_groups(network(), [entry], KEYS)
    assert {key: value for key, value in head.items() if key != "params"} == {
        "lr": 1e-5,
        "weight_decay": 0.1,
        "betas": (0.9, 0.5),
    }


def test_an_optimizer_learns_each_group_with_its_keys():
    model = network()
    entries = [{"layers": "encoder", "learning_rate": 1e-5}, {"kinds": ["bias"], "beta1": 0.5}]
    optimizer = adam(parameter_groups(model, entries, KEYS), learning_rate=0.01)
    assert [(group["lr"], group["betas"]) for group in optimizer.param_groups] == [
        (0.01, (0.9, 0.999)),
        (1e-5, (0.9, 0.999)),
        (0.01, (0.5, 0.999)),
    ]


def test_frozen_parameters_are_in_no_group():
    model = network()
    model.encoder.conv.requires_grad_(False)
    assert names(model, parameter_groups(model, [{"layers": "encoder"}], KEYS)) == [SECOND + HEAD, ENCODER[2:]]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [{"layers": "encodr.*"}],
            r"optimizer.parameters\[0\].layers: `encodr.\*` matches the name of no layer with trainable parameters; "
            "did you mean `encoder`",
        ),
        ([{"layers": "Head"}], "did you mean `head`"),
        ([{"layers": "zzz"}], "known here: `encoder`, `encoder.conv`, `encoder.norm`, `encoder_2`, `head`"),
        (
            [{"layers": ".*"}, {"layers": "head"}],
            r"optimizer.parameters\[1\].layers: earlier entries take all that `head` matches",
        ),
        (
            [{"layers": "head", "kinds": ["norm"]}],
            r"optimizer.parameters\[0\].kinds: no layer that `head` matches has trainable parameters of `norm`",
        ),
        ([{"layers": "frozen"}], r"optimizer.parameters\[0\].layers: `frozen` matches only layers that are not"),
    ],
)
def test_an_entry_in_vain_is_an_error(entries, message):
    model = network()
    model.add_module("frozen", nn.Linear(1, 1).requires_grad_(False))
    with pytest.raises(ConfigError, match=message):
        parameter_groups(model, entries, KEYS)


def test_all_entries_in_vain_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        parameter_groups(network(), [{"layers": "no"}, {"layers": "nil"}], KEYS)
    assert [problem.path for problem in caught.value.problems] == [
        "optimizer.parameters[0].layers",
        "optimizer.parameters[1].layers",
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"layers": "a"}, "optimizer.parameters: must be a list of objects"),
        (["a"], "optimizer.parameters: must be a list of objects"),
        ([{"layers": 1}], "optimizer.parameters[0].layers: must be a text, got 1"),
        ([{"layers": "("}], "optimizer.parameters[0].layers: `(` is no regular expression"),
        (
            [{}, {"layer": "a"}],
            "optimizer.parameters[1].layer: `layer`: unknown key in optimizer.parameters[1]; did you",
        ),
        ([{"learning_rate": -1}], "optimizer.parameters[0].learning_rate: must be a number greater than 0, got -1"),
        ([{"momentun": 1}], "unknown key in optimizer.parameters[0]; did you mean `momentum`?"),
        ([{"kinds": ["batch"]}], "optimizer.parameters[0].kinds: must be a list of"),
    ],
)
def test_faults_that_need_no_network_are_found_without_one(entries, message):
    assert any(message in str(problem) for problem in check_groups(entries, form(sgd)))


def test_entries_without_fault_have_no_problem():
    assert not list(check_groups([{"layers": "a.*", "kinds": ["bias"], "momentum": 0.5}], form(sgd)))


def test_the_check_needs_no_torch():
    code = "import sys, rmldnn.optimizers.groups; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_hessian_takes_no_groups():
    assert "takes no groups" in str(next(check_groups([{"layers": "a"}], form(hessian))))
    with pytest.raises(ConfigError, match=r"optimizer.parameters: `Hessian` moves all parameters together"):
        hessian(parameter_groups(network(), [{"layers": "head"}], {}))
    assert len(hessian(parameter_groups(network(), [], {})).param_groups) == 1


def test_tensors_are_one_group():
    tensors = [torch.zeros(1), torch.zeros(2)]
    assert groups(iter(tensors)) == [{"params": tensors}]
    assert groups([{"params": tensors, "lr": 1.0}]) == [{"params": tensors, "lr": 1.0}]
    assert groups([]) == [{"params": []}]
