"""What updates take: the process learns by itself on batches of a few sizes, all processes at the same time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rmldnn.engine.interface import Engine
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.loop import Learner
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone
from rmldnn.scaling.batches import cut
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

_LEAST, _MOST = 3, 200
"""Steps of one batch size that are timed."""
_QUARTILES = 1.349
"""Standard deviations from one quartile of a normal distribution to the other."""


@dataclass(frozen=True)
class Phases:
    """Of one update; see `Measured`."""

    update: float
    backward: float
    ready: Sequence[tuple[float, int]]
    exchanges: int


class Updates:
    """Learns by itself, and says how long that takes."""

    def __init__(self, engine: LocalEngine, task: Supervised, learner: Learner) -> None:
        self._engine, self._task, self._learner = engine, task, learner
        self._sums = 0
        self._forward = 0.0

    def __call__(self, batch: Batch) -> float:
        """Seconds of an update."""
        start = self._now()
        self._engine.learn(self._objective, [batch])
        return self._now() - start

    def phases(self, batch: Batch) -> Phases:
        """What an update consists of, medians of a few."""
        seen = [self._once(batch) for _ in range(_LEAST)]
        middle = sorted(seen, key=lambda one: one.backward)[len(seen) // 2]
        return replace(middle, update=statistics.median(one.update for one in seen))

    def _once(self, batch: Batch) -> Phases:
        marks: list[float] = []
        ready: list[tuple[float, int]] = []
        optimizer = self._learner.optimizer

        def arrived(parameter: Tensor) -> None:
            ready.append((self._now(), parameter.nbytes))

        hooks: list[Any] = [
            optimizer.register_step_pre_hook(lambda *_: marks.append(self._now())),
            optimizer.register_step_post_hook(lambda *_: marks.append(self._now())),
            *(
                parameter.register_post_accumulate_grad_hook(arrived)  # type: ignore[no-untyped-call]
                for parameter in self._learner.network.parameters()
                if parameter.requires_grad
            ),
        ]
        self._sums = 0
        start = self._now()
        self._engine.learn(self._objective, [batch])
        for hook in hooks:
            hook.remove()
        begun, ended = self._forward, max(moment for moment, _ in ready)
        length = max(ended - begun, 1e-9)
        parts = [((moment - begun) / length, size) for moment, size in ready]
        # An optimizer whose step was left out, as an overflow in fp16 does, has no marks.
        update = marks[-1] - marks[0] if len(marks) > 1 else 0.0
        return Phases(update, length / max(ended - start, 1e-9), parts, self._sums)

    def _objective(self, batch: Batch) -> Tensor:
        loss, _ = self._task.forward(self._learner.network, batch, self._total)
        if loss is None:
            raise ConfigError(Problem("data.target_path", "is missing; training needs the targets that lie there"))
        self._forward = self._now()
        return loss

    def _total(self, tensor: Tensor) -> Tensor:
        self._sums += 1
        return alone(tensor)

    def _now(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize(self._engine.device)
        return time.perf_counter()


def timed(
    engine: Engine, step: Updates, batch: Batch, share: int, seconds: float
) -> tuple[list[tuple[int, float]], float]:
    """Batch sizes and the seconds of an update; and by how much updates of the last size differ among each other.

    Args:
        engine: This process among the others; all call it.
        step: What is timed.
        batch: Whose samples are learned from.
        share: The largest size.
        seconds: How long all that may take, about.
    """
    end = time.perf_counter() + seconds
    batches: list[Batch] = []
    before, taken = 0, 0.0
    for wanted in sorted({1, max(1, round(math.sqrt(share))), max(2, share)}):
        fits = int((end - time.perf_counter()) / (_LEAST + 2) / taken * before) if taken else wanted
        size = int(engine.told(str(min(wanted, fits))))
        if size <= before:
            break
        batches.append(cut(batch, size))
        with _together(engine):
            step(batches[-1])  # the first one takes memory, and compiles
            before, taken = size, step(batches[-1])
    times: list[list[float]] = [[] for _ in batches]
    with _together(engine):  # in turns, so that what else the machine does slows down all sizes alike
        while len(times[0]) < _LEAST or (len(times[0]) < _MOST and time.perf_counter() < end):
            for own, one in zip(times, batches, strict=True):
                own.append(step(one))
    everyone = engine.everyone(times)
    points = [
        (one.size, statistics.fmean(statistics.median(each[place]) for each in everyone))
        for place, one in enumerate(batches)
    ]
    return points, statistics.fmean(_deviation(each[-1]) for each in everyone)


def _deviation(times: Sequence[float]) -> float:
    """Standard deviation as a part of the median, by the quartiles: a single step that was disturbed does not count."""
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / _QUARTILES / middle


@contextmanager
def _together(engine: Engine) -> Iterator[None]:
    """All processes begin and end what is inside together."""
    if engine.world > 1:
        dist.barrier()
    yield
    if engine.world > 1:
        dist.barrier()


def line(points: Sequence[tuple[int, float]]) -> tuple[float, float, float]:
    """Fixed seconds, seconds for each sample, and the largest relative distance; relative errors are least."""
    if len(points) == 1:
        size, seconds = points[0]
        return 0.0, seconds / size, 0.0
    weights = [1 / seconds**2 for _, seconds in points]
    total = sum(weights)
    x = sum(w * size for w, (size, _) in zip(weights, points, strict=True)) / total
    y = sum(w * seconds for w, (_, seconds) in zip(weights, points, strict=True)) / total
    above = sum(w * (size - x) * (seconds - y) for w, (size, seconds) in zip(weights, points, strict=True))
    slope = above / sum(w * (size - x) ** 2 for w, (size, _) in zip(weights, points, strict=True))
    fixed = y - slope * x
    if slope <= 0:  # a device that does all these sizes in the same time
        fixed, slope = y, 0.0
    elif fixed < 0:
        fixed, slope = 0.0, y / x
    return fixed, slope, max(abs(fixed + slope * size - seconds) / seconds for size, seconds in points)
