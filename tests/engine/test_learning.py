"""From gradients to updates, and between learning and evaluation."""

import copy

import pytest
import torch

from rmldnn.engine.average import Average
from rmldnn.engine.compute import Compute
from rmldnn.engine.learning import Learning, go_on
from rmldnn.optimizers.adam import adam
from rmldnn.optimizers.schedule_free import schedule_free_adamw
from rmldnn.optimizers.sgd import sgd
from rmldnn.steps import Batch

WAYS = [(sgd, None), (adam, 0.9), (schedule_free_adamw, None)]


def taught(make, ema, updates=3):
    """An optimizer and its parameter after some updates."""
    torch.manual_seed(0)
    parameter = torch.randn(5, requires_grad=True)
    learning = Learning(make([parameter]), Compute(ema=ema), torch.device("cpu"))
    learning.evaluating(False)
    teach(learning, parameter, updates)
    return learning, parameter


def teach(learning, parameter, updates):
    for number in range(updates):
        learning.learn(
            lambda batch: (parameter * batch.inputs).sum() ** 2, [Batch([], torch.full((5,), 1.0 + number), None, 0, 1)]
        )


@pytest.mark.parametrize(("make", "ema"), WAYS)
def test_an_evaluation_moves_no_bit(make, ema):
    learning, parameter = taught(make, ema)
    other, theirs = taught(make, ema)
    for _ in range(3):
        learning.evaluating(True)
        learning.evaluating(False)
    assert torch.equal(parameter, theirs)
    teach(learning, parameter, 2)
    teach(other, theirs, 2)
    assert torch.equal(parameter, theirs)


@pytest.mark.parametrize(("make", "ema"), WAYS[1:])
def test_other_weights_are_evaluated_than_learned(make, ema):
    learning, parameter = taught(make, ema)
    before = parameter.detach().clone()
    learning.evaluating(True)
    assert not torch.equal(parameter, before)


def test_kernels_are_those_of_the_optimizer_that_goes_on():
    learning, parameter = taught(adam, None)
    state = copy.deepcopy(learning.optimizer.state_dict())
    state["param_groups"][0] |= {"fused": "of another device", "lr": 0.25}
    other = adam([parameter])
    own = other.param_groups[0]["fused"]
    go_on(other, state)
    assert (other.param_groups[0]["fused"], other.param_groups[0]["lr"]) == (own, 0.25)


def test_a_mean_of_weights_moves_only_in_turns_of_theirs():
    learns, rests = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    average = Average([learns, rests], 0.5)
    rests.requires_grad_(False)
    for parameter in (learns, rests):
        parameter.data += 1
    average.update()
    means = average.state_dict()["means"]
    assert means[0] > 0
    assert means[1] == 0
