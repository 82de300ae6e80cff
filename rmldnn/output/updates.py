"""The updates of a training, held back so that their numbers are read with one wait for the device per second."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor

from rmldnn.steps import TrainStep

HOLD = 1.0
"""Seconds for which numbers may stay on their device: it is waited for once in that time, not once per batch."""


class Update(NamedTuple):
    """One update, read; `seconds` have passed since the training began."""

    seconds: float
    step: TrainStep
    loss: float
    grad_norm: float


class Updates:
    """Holds updates back.

    Args:
        seconds: How long the training took before, where it goes on.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._began = self._read = 0.0
        self._held: list[tuple[float, TrainStep]] = []

    @property
    def seconds(self) -> float:
        """How long the training has taken."""
        return time.perf_counter() - self._began if self._began else self._before

    def add(self, step: TrainStep) -> bool:
        """Holds an update; returns whether it is time to take what is held."""
        now = time.perf_counter()
        self._began = self._began or now - step.data_seconds - step.compute_seconds - self._before
        self._held.append((now - self._began, step))
        return now - self._read >= HOLD

    def take(self) -> list[Update]:
        """Reads what is held, and holds it no longer."""
        held, self._held = self._held, []
        losses = _numbers([step.loss for _, step in held])
        norms = _numbers([step.grad_norm for _, step in held])
        self._read = time.perf_counter()
        return [
            Update(seconds, step, loss, norm) for (seconds, step), loss, norm in zip(held, losses, norms, strict=True)
        ]


def _numbers(scalars: list[Tensor]) -> list[float]:
    """Reads many scalars with one wait for their device."""
    numbers: list[float] = torch.stack(scalars).tolist() if scalars else []
    return numbers
