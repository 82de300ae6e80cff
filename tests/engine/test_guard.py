import pytest
import torch

from rmldnn.engine.guard import Guard
from rmldnn.errors import TrainingError
from rmldnn.steps import TrainEnd, TrainStep


def step(loss, batch=1):
    names = [f"{batch}_{place}.png" for place in range(10)]
    return TrainStep(1, 2, batch, 500, 10, torch.tensor(loss), torch.tensor(1.0), 0.0, 0.0, names)


def test_sound_losses_pass():
    guard = Guard(eager=True)
    for batch in range(1, 300):
        guard.consume(step(1 / batch, batch))


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_is_told_with_its_samples(loss):
    guard = Guard(eager=True)
    guard.consume(step(1.0, 1))
    with pytest.raises(TrainingError, match=r"epoch 1, batch 2, whose samples are 2_0.png, .*2_7.png \.\.\.; if"):
        guard.consume(step(loss, 2))


def test_on_a_device_losses_are_looked_at_together():
    guard = Guard(eager=False)
    guard.consume(step(float("nan"), 1))
    with pytest.raises(TrainingError, match="batch 1,"):
        guard.check()


def test_the_end_of_the_epoch_looks_at_what_is_left():
    guard = Guard(eager=False)
    guard.consume(step(float("nan"), 1))
    with pytest.raises(TrainingError):
        guard.consume(TrainEnd(1, 2, torch.tensor(0.0), 0.0, 0.1))


def test_a_loss_that_grows_without_bound_is_told():
    guard = Guard(eager=True)
    with pytest.raises(TrainingError, match=r"diverges: the loss was about .* in the beginning and is about"):
        for batch in range(1, 1000):
            guard.consume(step(0.5 * 1.1 ** min(batch, 300), batch))


def test_what_is_compared_goes_on_with_the_training():
    guard, other = Guard(eager=True), Guard(eager=True)
    for batch in range(1, 65):
        guard.consume(step(0.01, batch))
    other.load_state_dict(guard.state_dict())
    with pytest.raises(TrainingError, match="diverges"):
        for batch in range(1, 65):
            other.consume(step(50.0, batch))
