"""What a training that goes on may have other than before."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from rmldnn.engine.states import State
from rmldnn.engine.terms import Terms, digests
from rmldnn.errors import CheckpointError
from rmldnn.networks.graph import Graph, Node, Ref
from rmldnn.optimizers.hessian import hessian

VALUES = {
    "optimizer.type": "SGD",
    "optimizer.learning_rate": 0.1,
    "optimizer.momentum": 0.5,
    "optimizer.parameters": [{"layers": "0", "momentum": 0.9}],
    "optimizer.lr_scheduler": [],
    "data.batch_size": 8,
    "seed": 0,
    "accumulate": 1,
    "ema": None,
    "precision": "fp32",
}


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def terms(model=None, groups=None, **changes):
    model = model or network()
    given = groups(model) if groups else model.parameters()
    made = Terms.of(model, torch.optim.SGD(given, lr=0.1, momentum=0.5))
    return replace(made, values=VALUES | {key.replace("__", "."): value for key, value in changes.items()})


def state(sample=0, **facts):
    kept = json.loads(json.dumps(terms().facts()))
    return State(Path("runs/a/state/epoch_3_sample_0"), {"epoch": 3, "sample": sample, **kept, **facts})


def said(caplog, now, sample=0):
    with caplog.at_level("INFO"):
        now.require(state(sample), network().state_dict())
    return [(record.levelname, record.message) for record in caplog.records]


def refused(now, sample=0, weights=None):
    with pytest.raises(CheckpointError) as error:
        now.require(state(sample), weights or network().state_dict())
    return {problem.path: problem.message for problem in error.value.problems}


def test_the_same_terms_are_not_worth_a_word(caplog):
    assert said(caplog, terms()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"optimizer__learning_rate": 0.01}, "optimizer.learning_rate: 0.01 from now on; it was 0.1"),
        ({"optimizer__momentum": 0.9}, "optimizer.momentum: 0.9 from now on; it was 0.5"),
        ({"precision": "bf16"}, 'precision: "bf16" from now on; it was "fp32"'),
        ({"ema": 0.9}, "ema: 0.9 from now on; it was null; the mean begins with the weights of the state"),
    ],
)
def test_what_goes_on_with_other_numbers_is_told(caplog, change, text):
    assert said(caplog, terms(**change), sample=16) == [("INFO", text)]


@pytest.mark.parametrize("change", [{"data__batch_size": 4}, {"seed": 1}, {"accumulate": 2}])
def test_the_order_of_samples_changes_between_epochs_only(caplog, change):
    (key,) = (name.replace("__", ".") for name in change)
    assert "in the middle of epoch 3; it may change when that epoch is complete" in refused(terms(**change), 16)[key]
    ((level, text),) = said(caplog, terms(**change))
    assert level == "WARNING"
    assert text.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer__type": "Adam"},
        {"optimizer__momentum": 0.0},
        {"optimizer__parameters": [{"layers": "0", "momentum": 0.0}]},
    ],
)
def test_an_optimizer_that_keeps_other_numbers_is_refused(change):
    (key,) = (name.replace("__", ".") for name in change)
    faults = refused(terms(**change))
    assert list(faults) == [key]
    assert "whose optimizer kept other numbers; set it back, or start anew" in faults[key]


def test_a_mixture_of_weights_is_not_undone_by_another_beta1():
    before = {"optimizer.type": "ScheduleFreeAdamW", "optimizer.beta1": 0.9}
    kept = State(Path("s"), {"epoch": 3, "sample": 0, "terms": before})
    now = terms(optimizer__type="ScheduleFreeAdamW", optimizer__beta1=0.5)
    with pytest.raises(CheckpointError, match=r"optimizer\.beta1: is 0\.5, but was 0\.9"):
        now.require(kept, network().state_dict())


def test_all_that_is_in_the_way_is_told_at_once():
    faults = refused(terms(optimizer__type="Adam", seed=1, ema=0.9), 16, nn.Linear(3, 5).state_dict())
    assert list(faults) == ["layers", "optimizer.type", "seed"]


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)), "`0.weight` is 5 x 3, and 4 x 3 there"),
        (nn.Sequential(nn.Linear(3, 4)), "`1.weight` is absent, and 4 there"),
        (nn.Sequential(*network(), nn.Linear(4, 2)), "`2.weight` is 2 x 4, and absent there"),
    ],
)
def test_the_first_layer_of_another_network_is_named(model, fault):
    assert fault in refused(terms(model))["layers"]


def graph(*, activation="relu", source="a", inner="relu", **keys):
    model = Graph("m", (Node("e", "Dense", {"activation": inner}, ((),)),), (), (Ref("e"),))
    nodes = [Node("a", "InputLayer", {}, ((),)), Node("b", "ReLU", {}, ((Ref("a"),),))]
    nodes.append(Node("c", "Dense", {"activation": activation, **keys}, ((Ref(source),),)))
    nodes.append(Node("d", "Functional", {}, ((Ref("c"),),), model=model))
    return Graph("net", tuple(nodes), (Ref("a"),), (Ref("d"),))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"activation": "tanh"}, "the layer `c` has other keys or inputs"),
        ({"source": "b"}, "the layer `c` has other keys or inputs"),
        ({"inner": "tanh"}, "the layer `d.e` has other keys or inputs"),
    ],
)
def test_another_network_of_equal_shapes_is_refused(change, fault):
    now = replace(terms(), layers=digests(graph(**change)))
    with pytest.raises(CheckpointError) as error:
        now.require(state(layers=digests(graph())), network().state_dict())
    assert [problem.path for problem in error.value.problems] == ["layers"]
    assert fault in error.value.problems[0].message


def test_how_weights_began_does_not_matter_any_more(caplog):
    now = replace(terms(), layers=digests(graph(kernel_initializer="zeros")))
    now.require(state(layers=digests(graph())), network().state_dict())
    assert not caplog.records


@pytest.mark.parametrize(
    ("make", "ema", "count"),
    [
        (torch.optim.Adam, None, 3),
        (torch.optim.Adam, 0.9, 4),
        (partial(torch.optim.Adam, amsgrad=True), 0.9, 5),
        (partial(torch.optim.RMSprop, centered=True), None, 4),
        (partial(hessian, history=5), None, 11),
        (partial(hessian, method="newton-cg"), None, 1),
    ],
)
def test_room_is_wanted_for_all_numbers_of_a_weight(make, ema, count):
    model = network()
    assert replace(Terms.of(model, make(list(model.parameters()))), values={"ema": ema}).numbers == count


def test_a_layer_that_learns_no_more_is_named():
    model = network()
    model[0].bias.requires_grad = False
    fault = refused(terms(model, lambda model: [p for p in model.parameters() if p.requires_grad]))["layers"]
    assert "`0.bias` learns no more" in fault


def test_parameters_of_other_groups_are_refused():
    def split(model):
        return [{"params": model[0].parameters()}, {"params": model[1].parameters()}]

    assert "the entries take other parameters" in refused(terms(groups=split))["optimizer.parameters"]


def test_a_state_of_an_earlier_version_is_not_compared(caplog):
    terms(optimizer__type="Adam").require(State(Path("s"), {"epoch": 1, "sample": 4}), network().state_dict())
    assert not caplog.records


def test_numbers_of_the_configuration_hold_and_counts_of_the_optimizer_stay():
    group = {"lr": 0.1, "initial_lr": 0.2, "momentum": 0.9, "k": 7, "params": [0, 1, 2, 3]}
    engine = {"optimizer": {"param_groups": [group]}}
    terms().settle(engine, network().state_dict())
    (group,) = engine["optimizer"]["param_groups"]
    assert (group["lr"], group["momentum"], group["k"], group["params"]) == (0.1, 0.5, 7, [0, 1, 2, 3])
    assert "initial_lr" not in group


def test_a_mean_that_is_not_there_begins_with_the_weights():
    weights = network().state_dict()
    engine = {"optimizer": {"param_groups": []}}
    terms().settle(engine, weights)
    assert engine["average"]["updates"] == 0
    for mean, name in zip(engine["average"]["means"], ("0.weight", "0.bias", "1.weight", "1.bias"), strict=True):
        assert torch.equal(mean, weights[name])
