"""Optimizers that take turns: each moves its own parameters as it would alone, and a state holds both."""

import copy

import pytest
import torch

from rmldnn.optimizers.alternating import Alternating
from rmldnn.schedulers.decay import exponential
from rmldnn.schedulers.several import Several


def made(values=((1.0, 2.0), (3.0,))):
    first, second = (torch.nn.Parameter(torch.tensor(each)) for each in values)
    members = {"generator": torch.optim.Adam([first], 0.1), "discriminator": torch.optim.SGD([second], 0.2, 0.9)}
    return first, second, Alternating(members)


def turn(optimizer, learns, rests):
    learns.requires_grad_(True)
    rests.requires_grad_(False)
    (learns.square().sum() * 3).backward()
    optimizer.step()
    learns.grad = None


def test_a_turn_moves_nothing_else():
    first, second, optimizer = made()
    turn(optimizer, first, second)  # gives the optimizer of the other one a state that would move it on
    turn(optimizer, second, first)
    before = first.detach().clone()
    turn(optimizer, second, first)
    assert torch.equal(first, before)


def test_each_moves_as_it_would_alone():
    first, second, optimizer = made()
    alone = torch.nn.Parameter(first.detach().clone())
    single = torch.optim.Adam([alone], 0.1)
    for _ in range(3):
        turn(optimizer, second, first)
        turn(optimizer, first, second)
        (alone.square().sum() * 3).backward()
        single.step()
        alone.grad = None
    assert torch.equal(first, alone)


def test_a_state_goes_on_to_the_same_bits():
    first, second, optimizer = made()
    turn(optimizer, first, second)
    turn(optimizer, second, first)
    state = copy.deepcopy(optimizer.state_dict())
    third, fourth, other = made((first.tolist(), second.tolist()))
    other.load_state_dict(state)
    for learns, rests, who in ((first, second, optimizer), (third, fourth, other)):
        turn(who, learns, rests)
        turn(who, rests, learns)
    assert torch.equal(first, third)
    assert torch.equal(second, fourth)


def test_groups_of_a_loaded_state_are_those_of_the_members():
    _, _, optimizer = made()
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.param_groups[1]["lr"] = 0.5
    assert optimizer.members["discriminator"].param_groups[0]["lr"] == 0.5


def test_it_evaluates_no_objective():
    with pytest.raises(ValueError, match="take turns"):
        made()[2].step(lambda: None)


def test_schedules_set_the_rates_of_their_own():
    _, _, optimizer = made()
    member = optimizer.members["discriminator"]
    schedule = Several({"discriminator": exponential(member, 3, gamma=0.5, verbose=False)})
    schedule.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]
    again = Several({"discriminator": exponential(made()[2].members["discriminator"], 3, gamma=0.5, verbose=False)})
    again.load_state_dict(schedule.state_dict())
    assert again.members["discriminator"].done == 1.0
