"""What the log says of losses, optimizers and schedules, in the rows of the original."""

from __future__ import annotations

import pytest

from rmldnn.output.rows import Group
from rmldnn.sections import chosen_rows, optimizer_rows

ADAM = ["Type", "Learning rate", "Beta1", "Beta2", "Weight decay", "Eps", "AMSGrad"]
SGD = ["Type", "Learning rate", "Momentum", "Dampening", "Weight decay", "Nesterov"]


def labels(rows):
    return [label for label, _ in rows]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SGD", SGD),
        ("Adagrad", ["Type", "Learning rate", "LR decay", "Weight decay"]),
        ("Adam", ADAM),
        ("AdamW", ADAM),
        ("LAMB", ADAM),
        ("LARS", [*SGD, "Eta"]),
        ("RMSprop", ["Type", "Learning rate", "Alpha", "Eps", "Weight decay", "Momentum", "Centered"]),
    ],
)
def test_rows_of_an_optimizer(name, expected):
    assert labels(optimizer_rows({"type": name})) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("NLL", ["Function", "Weight", "Ignore index"]),
        ("BCE", ["Function"]),
        ("MSE", ["Function"]),
        ("Dice", ["Function", "Source", "Eps", "Weight"]),
        ("Jaccard", ["Function", "Source", "Eps", "Weight"]),
    ],
)
@pytest.mark.parametrize("said", [{}, {"source": None}])
def test_rows_of_a_loss(function, expected, said):
    assert labels(chosen_rows("loss", {"function": function, **said}, "softmax")) == expected


def test_an_index_that_is_ignored_is_shown():
    assert ("Ignore index", 255) in chosen_rows("loss", {"function": "Dice", "ignore_index": 255}, "softmax")


@pytest.mark.parametrize(("said", "shown"), [(None, "softmax"), ("linear", "linear")])
def test_the_source_that_holds_is_shown(said, shown):
    assert ("Source", shown) in chosen_rows("loss", {"function": "Dice", "source": said}, "softmax")


@pytest.mark.parametrize(("said", "shown"), [("sigmoid", False), ("linear", True)])
def test_a_source_that_the_original_does_not_show_is_shown_if_it_is_not_the_networks(said, shown):
    rows = chosen_rows("loss", {"function": "BCE", "source": said}, "sigmoid")
    assert (("Source", said) in rows) == shown


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"type": "Step", "gamma": 0.5, "step_size": 2}, ["Type", "Gamma", "Step size", "Verbose"]),
        ({"type": "Exponential", "gamma": 0.5}, ["Type", "Gamma", "Verbose"]),
        ({"type": "Warmup", "num_epochs": 2, "start_factor": 0.1}, ["Type", "Num epochs", "Start factor", "Verbose"]),
    ],
)
def test_rows_of_a_schedule(keys, expected):
    assert labels(chosen_rows("scheduler", keys)) == expected


def test_what_is_different_for_some_layers_is_a_row_for_each_entry():
    entries = [{"layers": "encoder.*", "learning_rate": 1e-5}, {"kinds": ["bias", "norm"], "weight_decay": 0}]
    label, group = optimizer_rows({"type": "SGD", "parameters": entries})[-1]
    assert (label, type(group)) == ("Parameters", Group)
    assert group.rows == [("encoder.*", {"learning_rate": 1e-5}), (".* (bias, norm)", {"weight_decay": 0})]
