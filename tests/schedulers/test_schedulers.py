import logging

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.schedulers.decay import exponential, multi_step, step
from rmldnn.schedulers.warmup import warmup


def rates(make, keys, epochs=8, rate=0.4):
    """Learning rate of each epoch."""
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=rate)
    scheduler = make(optimizer, **keys)
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize(
    ("scheduler", "keys", "factors"),
    [
        (step, {"gamma": 0.5, "step_size": 3}, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (multi_step, {"gamma": 0.1, "milestones": [5, 2]}, [1, 1, 0.1, 0.1, 0.1, 0.1**2, 0.1**2, 0.1**2]),
        (exponential, {"gamma": 0.9}, [0.9**epoch for epoch in range(8)]),
        (warmup, {"num_epochs": 4, "start_factor": 0.2}, [0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1]),
    ],
)
def test_learning_rate_of_each_epoch(scheduler, keys, factors):
    assert rates(scheduler, keys) == pytest.approx([0.4 * factor for factor in factors], rel=1e-14)


def test_changes_are_logged(caplog):
    with caplog.at_level(logging.INFO, "rmldnn"):
        rates(step, {"gamma": 0.5, "step_size": 2}, epochs=4)
    assert caplog.messages == ["Learning rate adjusted to 0.2", "Learning rate adjusted to 0.1"]


def test_silence_on_request(caplog):
    with caplog.at_level(logging.INFO, "rmldnn"):
        rates(exponential, {"gamma": 0.5, "verbose": False})
    assert caplog.messages == []


def test_warm_up_must_rise():
    with pytest.raises(ConfigError, match=r"start_factor: must be less than 1, got 1.5"):
        rates(warmup, {"num_epochs": 4, "start_factor": 1.5})


def test_rates_follow_within_epochs_only_per_step():
    parameter = torch.zeros(1, requires_grad=True)
    for per, expected in (("epoch", [1, 1, 0.5, 0.5]), ("step", [0.5**0.25, 0.5**0.5, 0.5, 0.5**1.5])):
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        schedule = exponential(optimizer, 4, gamma=0.5, per=per)
        assert schedule.per_step == (per == "step")
        found = []
        for done in (0.25, 0.5, 1.0, 1.5):
            schedule.step(done)
            found.append(optimizer.param_groups[0]["lr"])
        assert found == pytest.approx(expected)


def test_each_group_keeps_its_own_initial_rate():
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": parameters[:1], "lr": 1.0}, {"params": parameters[1:], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    exponential(optimizer, gamma=0.5).step(2)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.25, 0.025])


def test_changes_within_an_epoch_are_told_once_at_its_end(caplog):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = exponential(optimizer, gamma=0.5, per="step")
    with caplog.at_level(logging.INFO, "rmldnn"):
        for done in (0.5, 1.0, 1.0, 1.5, 2.0):
            schedule.step(done)
    assert caplog.messages == ["Learning rate adjusted to 0.5", "Learning rate adjusted to 0.25"]


@pytest.mark.parametrize("num_epochs", [2, 3])
def test_a_schedule_that_is_over_keeps_its_rate(num_epochs):
    keys = {"gamma": 0.5, "num_epochs": num_epochs}
    assert rates(exponential, keys, epochs=6)[num_epochs:] == pytest.approx([0.4 * 0.5**num_epochs] * (6 - num_epochs))


def test_a_resumed_run_has_the_same_rates():
    def run(schedule, optimizer, first, last):
        for done in range(first, last + 1):
            schedule.step(done / 4)
            yield optimizer.param_groups[0]["lr"]

    def fresh():
        optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.3)
        return exponential(optimizer, 4, gamma=0.7, per="step"), optimizer

    whole = list(run(*fresh(), 1, 16))
    schedule, optimizer = fresh()
    before = list(run(schedule, optimizer, 1, 7))
    resumed, other = fresh()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert other.param_groups[0]["lr"] == before[-1]
    assert before + list(run(resumed, other, 8, 16)) == whole


@pytest.mark.parametrize(("epochs", "told"), [(5, False), (4, False), (3, True)])
def test_a_warm_up_longer_than_the_run_is_told(caplog, epochs, told):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    warmup(optimizer, epochs, num_epochs=4, start_factor=0.5)
    words = "optimizer.lr_scheduler: Warmup takes 4 epochs, but there are 3; the rate is never reached"
    assert caplog.messages == ([words] if told else [])
