"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rmldnn.optimizers.objective import Objective, Point
from rmldnn.optimizers.stopping import Stopping
from rmldnn.optimizers.wolfe import MOST, Trial, search


def lbfgs(
    objective: Objective, point: Point, memory: dict[str, Any], stopping: Stopping, history: int, length: float
) -> Point:
    """Descends until `stopping` says so (Nocedal and Wright, algorithms 7.4 and 7.5).

    Args:
        objective: What to make small.
        point: Where to start.
        memory: Its lists `steps` and `changes`, of places and of gradients, are read and continued.
        stopping: When to end.
        history: How many steps to remember.
        length: First trial of each line search, in units of the method's step.

    Returns:
        Where it ends.
    """
    steps: list[Tensor] = memory.setdefault("steps", [])
    changes: list[Tensor] = memory.setdefault("changes", [])
    while not stopping.at(point, objective):
        direction = -_inverse_hessian(steps, changes, point.gradient)
        slope = float(torch.dot(point.gradient, direction))
        found = None
        if slope < 0:
            first = length if steps else length * min(1.0, 1 / point.norm)
            found = _along(objective, point, direction, slope, first)
        if found is None or found is point:
            if not steps:
                break
            steps.clear()  # what was learned elsewhere misleads here
            changes.clear()
            continue
        step, change = found.x - point.x, found.gradient - point.gradient
        if torch.dot(step, change) > torch.finfo(step.dtype).eps * torch.dot(change, change):
            steps.append(step)
            changes.append(change)
            del steps[:-history], changes[:-history]
        point = found
    return point


def _along(objective: Objective, point: Point, direction: Tensor, slope: float, length: float) -> Point:
    def evaluate(length: float) -> Trial:
        there = objective.at(point.x + length * direction)
        return Trial(length, float(torch.dot(there.gradient, direction)), there)

    return search(evaluate, Trial(0.0, slope, point), length, min(MOST, objective.left)).point


def _inverse_hessian(steps: list[Tensor], changes: list[Tensor], gradient: Tensor) -> Tensor:
    """The inverse Hessian that the steps suggest, times the gradient; two loops, and no wait for the device."""
    vector = gradient.clone()
    if not steps:
        return vector
    inverses = [1 / torch.dot(step, change) for step, change in zip(steps, changes, strict=True)]
    parts = []
    for step, change, inverse in zip(reversed(steps), reversed(changes), reversed(inverses), strict=True):
        parts.append(inverse * torch.dot(step, vector))
        vector -= parts[-1] * change
    vector /= inverses[-1] * torch.dot(changes[-1], changes[-1])
    for step, change, inverse, part in zip(steps, changes, inverses, reversed(parts), strict=True):
        vector += (part - inverse * torch.dot(change, vector)) * step
    return vector
