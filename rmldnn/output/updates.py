"""Numbers that are held back on their device, so that it is waited for once in a second, not once for each batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from rmldnn.steps import TrainStep

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")

HOLD = 1.0
"""Seconds for which numbers may stay on their device."""


class Held(Generic[Item]):
    """Holds items with their scalars back; the first one is due at once, and so is one that comes late.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._read = -HOLD
        self._items: list[tuple[Item, list[Tensor]]] = []

    @property
    def due(self) -> bool:
        """Whether it is time to take what is held."""
        return bool(self._items) and self._clock() - self._read >= HOLD

    def add(self, item: Item, scalars: list[Tensor]) -> None:
        """Holds an item."""
        self._items.append((item, scalars))

    def take(self) -> Iterator[tuple[Item, list[float]]]:
        """Reads the scalars of what is held with one wait for each of their devices, and holds it no longer."""
        items, self._items = self._items, []
        numbers = iter(_numbers([scalar for _, scalars in items for scalar in scalars]))
        self._read = self._clock() if items else self._read
        return ((item, [next(numbers) for _ in scalars]) for item, scalars in items)


class Update(NamedTuple):
    """One update, read; `seconds` have passed since the training began."""

    seconds: float
    step: TrainStep
    loss: float
    grad_norm: float
    losses: Mapping[str, float]


class Updates:
    """Holds updates back.

    Args:
        seconds: How long the training took before, where it goes on.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._began = 0.0
        self._held: Held[tuple[float, TrainStep]] = Held()

    @property
    def seconds(self) -> float:
        """How long the training has taken."""
        return time.perf_counter() - self._began if self._began else self._before

    def add(self, step: TrainStep) -> bool:
        """Holds an update; returns whether it is time to take what is held."""
        now = time.perf_counter()
        self._began = self._began or now - step.data_seconds - step.compute_seconds - self._before
        self._held.add((now - self._began, step), [step.loss, step.grad_norm, *step.losses.values()])
        return self._held.due

    def take(self) -> list[Update]:
        """Reads what is held, and holds it no longer."""
        return [
            Update(seconds, step, loss, norm, dict(zip(step.losses, others, strict=True)))
            for (seconds, step), (loss, norm, *others) in self._held.take()
        ]


def _numbers(scalars: list[Tensor]) -> list[float]:
    """Reads many scalars with one wait for each device that they are on, which is one as a rule."""
    if not scalars:
        return []
    import torch  # which those who give scalars have imported

    numbers = [0.0] * len(scalars)
    for device in {scalar.device for scalar in scalars}:
        places = [place for place, scalar in enumerate(scalars) if scalar.device == device]
        for place, number in zip(places, torch.stack([scalars[place] for place in places]).tolist(), strict=True):
            numbers[place] = number
    return numbers
