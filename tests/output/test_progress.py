from __future__ import annotations

import pytest
import torch

from rmldnn.output.epochs import duration
from rmldnn.output.progress import Progress
from rmldnn.steps import EvalStep, TrainEnd, TrainStep

ZERO = torch.tensor(0.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    return Progress(clock)


def follow(progress, clock, epoch, batch, seconds=1.0):
    clock.now += seconds
    progress.follow(TrainStep(epoch, 4, batch, 10, 16, ZERO, ZERO, 0.25 * seconds, 0.75 * seconds))


def test_throughput_counts_the_first_batch_with_its_time(progress, clock):
    for batch in (1, 2):
        follow(progress, clock, 1, batch)
    assert progress.samples_per_second == 16


def test_what_is_left_follows_the_pace(progress, clock):
    for batch in (1, 2):
        follow(progress, clock, 1, batch)
    assert (progress.phase_left, progress.run_left) == (pytest.approx(8), pytest.approx(38))


def test_a_resumed_run_counts_from_where_it_took_up(progress, clock):
    follow(progress, clock, 3, 10)
    assert progress.run_done == 0.5


def test_evaluation_is_part_of_a_run_of_which_nothing_more_is_trained(progress, clock):
    follow(progress, clock, 4, 10)
    progress.follow(EvalStep(4, 4, 1, 2, 16))
    assert (progress.phase_done, progress.run_done) == (0.5, 1.0)


def test_a_new_phase_starts_from_nothing(progress, clock):
    follow(progress, clock, 1, 10)
    progress.follow(TrainEnd(1, 4, ZERO, 1.0, 0.1))
    follow(progress, clock, 2, 1, seconds=2.0)
    assert progress.samples_per_second == 8


def test_nothing_is_known_before_the_first_step(progress):
    known = (
        progress.phase_done,
        progress.run_done,
        progress.phase_left,
        progress.run_left,
        progress.samples_per_second,
    )
    assert known == (0.0, 0.0, None, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.354, "0.35 s"), (9.996, "10.0 s"), (59.96, "1:00"), (125.4, "2:05"), (3599.6, "1:00:00"), (3723, "1:02:03")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
