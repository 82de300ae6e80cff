"""Newton's method in a trust region, with conjugate gradients."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rmldnn.optimizers.objective import Objective, Point
from rmldnn.optimizers.stopping import Stopping


class _Step(NamedTuple):
    """A step of the quadratic model, the fall of the loss and the gradient's norm that the model foretells."""

    step: Tensor
    fall: float
    norm: float
    bounded: bool


def newton_cg(
    objective: Objective, point: Point, memory: dict[str, Any], stopping: Stopping, history: int, length: float
) -> Point:
    """Descends until `stopping` says so (Nocedal and Wright, algorithms 4.1 and 7.2).

    Each step is solved for as exactly as the model has foretold the last gradient (Eisenstat and Walker 1996), so a
    quadratic takes one or two steps, however many dimensions it has.

    Args:
        objective: What to make small; was evaluated `twice` at `point`.
        point: Where to start.
        memory: Its `radius`, of the trust region, is read and continued.
        stopping: When to end.
        history: Not used.
        length: How far to go where the loss curves down and nothing else says how far.

    Returns:
        Where it ends.
    """
    del history
    radius: float = memory.get("radius", math.inf)
    forcing = 0.1
    tiny = torch.finfo(point.x.dtype).eps
    while not stopping.at(point, objective) and objective.left > 1:
        enough = max(forcing * point.norm, stopping.absolute / 2)
        step, fall, norm, bounded = _steihaug(objective, point.gradient, radius, enough, length)
        size = float(torch.linalg.vector_norm(step))
        if not math.isfinite(size) or size <= tiny * float(torch.linalg.vector_norm(point.x)):
            break
        there = objective.at(point.x + step, twice=True)
        ratio = _ratio(point, there, step, fall)
        if ratio < 0.25:
            radius = 0.25 * size
        elif ratio > 0.75 and bounded:
            radius = max(radius, 2 * size)
        if ratio > 1e-4:
            forcing = min(max(abs(there.norm - norm) / point.norm, tiny), 0.5)
            point = there
        elif objective.left > 0:  # the graph of `point` is gone: its parameters were written over
            point = objective.at(point.x, twice=True)
    memory["radius"] = radius
    return point


def _ratio(point: Point, there: Point, step: Tensor, fall: float) -> float:
    """The true fall in units of the foretold one; where rounding hides it, what the slopes at both ends say it is."""
    if not there.finite:
        return -1.0
    if fall > point.noise:
        return (point.value - there.value) / fall
    return -float(torch.dot(point.gradient + there.gradient, step)) / 2 / fall


def _steihaug(objective: Objective, gradient: Tensor, radius: float, enough: float, length: float) -> _Step:
    """Conjugate gradients on the quadratic model, up to the border of the trust region or the first downward curve.

    Ends when the model's gradient is as small as `enough`, after twice as many products as there are dimensions, or one
    evaluation before the budget does.
    """
    step = torch.zeros_like(gradient)
    residual = gradient.clone()
    direction = -residual
    square = float(torch.dot(residual, residual))
    fall = 0.0
    for _ in range(min(2 * len(gradient), objective.left - 1)):
        product = objective.product(direction)
        curve = float(torch.dot(direction, product))
        if not math.isfinite(curve):
            break
        longest = _to_border(step, direction, radius if curve > 0 or radius < math.inf else _fallback(step, length))
        natural = square / curve if curve > 0 else math.inf
        part = min(natural, longest)
        step += part * direction
        residual += part * product
        fall += part * (square - part * curve / 2)
        if natural >= longest:
            return _Step(step, fall, float(torch.linalg.vector_norm(residual)), True)
        before, square = square, float(torch.dot(residual, residual))
        if math.sqrt(square) <= enough:
            break
        direction = square / before * direction - residual
    return _Step(step, fall, math.sqrt(square), False)


def _fallback(step: Tensor, length: float) -> float:
    """A radius where there is none yet and the model has no minimum."""
    return max(2 * float(torch.linalg.vector_norm(step)), length)


def _to_border(step: Tensor, direction: Tensor, radius: float) -> float:
    """How much of the direction leads from the step to the border."""
    if radius == math.inf:
        return math.inf
    a, b = float(torch.dot(direction, direction)), float(torch.dot(step, direction))
    c = radius**2 - float(torch.dot(step, step))
    return (math.sqrt(max(b * b + a * c, 0.0)) - b) / a
