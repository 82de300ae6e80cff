"""A line search: how far to go in a direction that leads down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rmldnn.optimizers.objective import Point

DECREASE, CURVATURE = 1e-4, 0.9
"""Constants of the strong Wolfe conditions, as Nocedal and Wright give them for quasi-Newton methods."""
MOST = 30
"""Trials of one search."""


@dataclass(frozen=True, eq=False)
class Trial:
    """The objective at one place of the line.

    Args:
        length: Of the way from the start, in units of the direction.
        slope: The derivative by `length`.
        point: The place.
    """

    length: float
    slope: float
    point: Point

    @property
    def value(self) -> float:
        """The loss."""
        return self.point.value

    @property
    def finite(self) -> bool:
        """Whether loss and slope are numbers."""
        return self.point.finite and math.isfinite(self.slope)


def search(evaluate: Callable[[float], Trial], start: Trial, length: float, most: int = MOST) -> Trial:
    """A place that fulfils the strong Wolfe conditions, by cubic interpolation in a bracket (Nocedal and Wright 3.5).

    Where the line is a parabola as far as rounding lets one see, its minimum is taken: quasi-Newton steps are then
    conjugate, and end on a quadratic after as many as it has dimensions.

    Args:
        evaluate: The objective so far from the start.
        start: Where the slope is negative.
        length: The first trial.
        most: Number of evaluations allowed.

    Returns:
        The best place found if it is none such, which is `start` if there is none better; never one that is not finite.
    """
    low, high = start, None
    noise = start.point.noise
    first = True
    while most > 0:
        trial = evaluate(length)
        most -= 1
        if first and most > 0 and _parabola(start, trial):
            lowest = evaluate(length * start.slope / (start.slope - trial.slope))
            most -= 1
            if _descends(start, lowest) and abs(lowest.slope) <= CURVATURE * abs(start.slope):
                return lowest
        first = False
        if not _descends(start, trial) or trial.value > low.value + noise:
            high = trial
        elif abs(trial.slope) <= CURVATURE * abs(start.slope):
            return trial
        else:
            if trial.slope * ((high.length if high else math.inf) - low.length) >= 0:
                high = low
            low, before = trial, low
        length = _inside(low, high) if high else _beyond(before, low)
    return low


def _descends(start: Trial, trial: Trial) -> bool:
    """Whether the loss falls enough; where rounding hides it, whether the slopes say so (Hager and Zhang 2005)."""
    enough = DECREASE * trial.length * start.slope
    if trial.length * abs(start.slope) > start.point.noise:
        return trial.finite and trial.value - start.value <= enough + start.point.noise
    return trial.finite and _rise(start, trial) <= enough


def _rise(start: Trial, trial: Trial) -> float:
    """How much a parabola with these slopes rises."""
    return trial.length * (start.slope + trial.slope) / 2


def _parabola(start: Trial, trial: Trial) -> bool:
    """Whether the values agree with the slopes as those of a parabola do that has a minimum elsewhere than here."""
    if not trial.finite or trial.slope <= start.slope or abs(trial.slope) < 1e-10 * abs(start.slope):
        return False
    return abs(trial.value - start.value - _rise(start, trial)) <= 1e-6 * trial.length * abs(start.slope)


def _cubic(a: Trial, b: Trial) -> float:
    """Where the cubic through two places with slopes has its minimum; nan if it has none."""
    width = b.length - a.length
    d1 = a.slope + b.slope - 3 * (b.value - a.value) / width
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return math.nan
    d2 = math.copysign(math.sqrt(square), width)
    below = b.slope - a.slope + 2 * d2
    return b.length - width * (b.slope + d2 - d1) / below if below else math.nan


def _inside(low: Trial, high: Trial) -> float:
    """The next trial between two, away from both of them."""
    width = high.length - low.length
    if not high.finite:
        return low.length + 0.1 * width
    part = (_cubic(low, high) - low.length) / width
    return low.length + width * (min(max(part, 0.1), 0.9) if math.isfinite(part) else 0.5)


def _beyond(before: Trial, last: Trial) -> float:
    """The next trial farther off."""
    cubic = _cubic(before, last)
    least, most = last.length + 0.1 * (last.length - before.length), 10 * last.length
    return min(max(cubic, least), most) if cubic > last.length else most
