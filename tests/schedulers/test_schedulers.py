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
