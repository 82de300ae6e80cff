import random
from functools import partial

import pytest
import torch

from rmldnn.engine.guard import Guard
from rmldnn.engine.local import LocalEngine
from rmldnn.errors import TrainingError
from rmldnn.steps import TrainEnd, TrainStep


def step(loss, batch=1):
    names = [f"{batch}_{place}.png" for place in range(10)]
    return TrainStep(1, 2, batch, 500, 10, torch.tensor(loss), torch.tensor(1.0), 0.0, 0.0, names)


@pytest.fixture
def guard(tmp_path):
    return partial(Guard, LocalEngine("cpu"), tmp_path, eager=True)


def test_sound_losses_pass(guard):
    one = guard()
    for batch in range(1, 300):
        one.consume(step(1 / batch, batch))


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_is_told_with_its_samples(guard, loss):
    one = guard()
    one.consume(step(1.0, 1))
    names = r"epoch 1, batch 2, whose samples are 2_0.png, .*2_7.png \.\.\. \(all 10 in `.*/faulty_batch.txt`\); if"
    with pytest.raises(TrainingError, match=names):
        one.consume(step(loss, 2))


def test_on_a_device_losses_are_looked_at_together(guard):
    one = guard(eager=False)
    one.consume(step(float("nan"), 1))
    with pytest.raises(TrainingError, match="batch 1,"):
        one.check()


def test_the_end_of_the_epoch_looks_at_what_is_left(guard):
    one = guard(eager=False)
    one.consume(step(float("nan"), 1))
    with pytest.raises(TrainingError):
        one.consume(TrainEnd(1, 2, torch.tensor(0.0), 0.0, 0.1))


def test_a_loss_that_grows_without_bound_is_told(guard):
    one = guard()
    with pytest.raises(TrainingError, match=r"diverges: the loss was about .* in the beginning and is about"):
        for batch in range(1, 1000):
            one.consume(step(0.5 * 1.1 ** min(batch, 300), batch))


def test_what_is_compared_goes_on_with_the_training(guard):
    one, other = guard(), guard()
    for batch in range(1, 65):
        one.consume(step(0.01, batch))
    other.load_state_dict(one.state_dict())
    with pytest.raises(TrainingError, match="diverges"):
        for batch in range(1, 65):
            other.consume(step(50.0, batch))


def test_a_loss_that_jumps_at_once_is_told(guard):
    one = guard()
    losses = [0.669, 1e5, *(10 ** (12 + batch % 3) for batch in range(298))]
    with pytest.raises(TrainingError, match=r"was about 0.669 in the beginning and is about .* epoch 1, batch 4;"):
        for batch, loss in enumerate(losses, 1):
            one.consume(step(float(loss), batch))


def test_on_a_device_a_jump_is_seen_with_the_first_losses_that_are_read(guard):
    one = guard(eager=False)
    with pytest.raises(TrainingError, match="was about 0.669 in the beginning"):
        for batch in range(1, 65):
            one.consume(step(0.669 if batch == 1 else 1e12, batch))


def noisy():
    """Losses of five orders of magnitude, without a trend."""
    random.seed(0)
    return [10 ** random.uniform(-4, 1) for _ in range(300)]


@pytest.mark.parametrize(
    "losses",
    [
        noisy(),
        [0.0] * 10 + [5e4] * 290,
        [1e-5] * 3 + [0.7] * 61 + [0.6] * 236,
        [0.7] * 20 + [1e7] + [0.7] * 279,
        [0.01 * (batch + 1) for batch in range(300)],
        [0.01] * 64 + [-50.0 * batch for batch in range(236)],
        [-float(batch**3) for batch in range(300)],
    ],
    ids=["noisy", "none at first", "easy at first", "one outlier", "rising", "falling below 0", "negative"],
)
def test_what_is_no_divergence_passes(guard, losses):
    one = guard()
    for batch, loss in enumerate(losses, 1):
        one.consume(step(loss, batch))


def test_all_samples_of_the_batch_are_in_a_file(guard, tmp_path):
    with pytest.raises(TrainingError):
        guard().consume(step(float("nan"), 3))
    assert (tmp_path / "faulty_batch.txt").read_text().split() == [f"3_{place}.png" for place in range(10)]


def test_a_file_that_cannot_be_written_does_not_hide_the_fault(guard, tmp_path):
    (tmp_path / "faulty_batch.txt").mkdir()
    with pytest.raises(TrainingError, match=r"the loss is nan .* \(10 in all; cannot write them to `.*`: Is a direct"):
        guard().consume(step(float("nan")))
