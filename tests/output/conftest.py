"""A small run, told to outputs."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch

from rmldnn.steps import EpochEnd, EvalEnd, EvalStep, Step, TrainEnd, TrainStep

Run = Callable[..., Iterator[Step]]


def fake_run(
    *, epochs: int = 2, batches: int = 3, loss: float | None = 0.66031, accuracy: float | None = 1.0, train: bool = True
) -> Iterator[Step]:
    def tensor(value):
        return None if value is None else torch.tensor(value)

    for epoch in range(1, epochs + 1):
        if train:
            for batch in range(1, batches + 1):
                yield TrainStep(epoch, epochs, batch, batches, 16, tensor(0.7 / batch), tensor(0.5), 0.27, 0.73)
            yield TrainEnd(epoch, epochs, tensor(0.5 / epoch), 3.0, 0.01)
        yield EvalStep(epoch, epochs, 1, 1, 20, tensor(loss), tensor(accuracy))
        yield EvalEnd(epoch, epochs, 0.5, tensor(loss), tensor(accuracy))
        yield EpochEnd(epoch, epochs, epoch == epochs)


@pytest.fixture(scope="session")
def run() -> Run:
    return fake_run


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="session")
def disk() -> Callable[[int], AbstractContextManager[None]]:
    """Makes files of more bytes than given fail, as they do on a full disk: up to there, they are written."""
    return small_disk
