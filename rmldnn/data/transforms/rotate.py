"""Rotations about the middle of a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transforms.geometric import Geometric, RandomGeometric, axis_from_end
from rmldnn.data.transforms.motion import Extent, Linear, Motion, QuarterTurns
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Fraction, NonNegative


@dataclass(frozen=True)
class Rotate(Geometric):
    """Rotates on the same canvas.

    Args:
        angles: One in the plane of the last two axes, or three about the axes of volumes; in degrees.
    """

    angles: tuple[float, ...]

    name: ClassVar[str] = "rotate"

    def motion(self, extent: Extent) -> Motion | None:
        """By these angles."""
        return rotation(self.name, extent, self.angles)

    def __str__(self) -> str:
        return _shown(self.angles)


@component("rotate")
def rotate(*, angle: float | list[float]) -> Rotate:
    """Rotates samples clockwise about their middle; the size stays, corners that become visible are zero.

    Args:
        angle: In degrees, in the plane of height and width. Volumes take three as well, about the axes of depth,
            height and width, carried out in this order.

    Raises:
        ConfigError: There are neither one nor three angles.
    """
    return Rotate(_checked("rotate", angle))


@dataclass(frozen=True)
class RandomRotate(RandomGeometric):
    """Rotates by any angle up to a limit.

    Args:
        limits: One in the plane of the last two axes, or three about the axes of volumes; in degrees.
    """

    limits: tuple[float, ...]

    name: ClassVar[str] = "random_rotate"

    def motion(self, extent: Extent, generator: np.random.Generator) -> Motion | None:
        """Angles between minus and plus the limits."""
        return rotation(self.name, extent, [generator.uniform(-limit, limit) for limit in self.limits])

    def __str__(self) -> str:
        return _shown(self.limits)


@component("random_rotate")
def random_rotate(*, angle: NonNegative | list[NonNegative]) -> RandomRotate:
    """Rotates training samples about their middle; the size stays, corners that become visible are zero.

    Args:
        angle: The angle is drawn between minus and plus this many degrees, in the plane of height and width. Volumes
            take three as well, about the axes of depth, height and width.

    Raises:
        ConfigError: There are neither one nor three angles.
    """
    return RandomRotate(_checked("random_rotate", angle))


@dataclass(frozen=True)
class RandomRotate90(RandomGeometric):
    """Rotates by multiples of 90 degrees.

    Args:
        probability: That it happens.
    """

    probability: float

    name: ClassVar[str] = "random_rotate_90"

    def motion(self, extent: Extent, generator: np.random.Generator) -> QuarterTurns | None:
        """One to three quarter turns in any plane; two where the sides of the plane differ, as the size shall stay."""
        axis_from_end(self.name, extent, 2, "height")
        planes = list(combinations(range(len(extent)), 2))
        happens, which, turns = generator.random(3)
        if happens >= self.probability:
            return None
        first, second = planes[int(which * len(planes))]
        count = 1 + int(turns * 3) if extent[first] == extent[second] else 2
        return QuarterTurns(extent, count, (first, second))

    def __str__(self) -> str:
        return f"{self.probability:g}"


@component("random_rotate_90")
def random_rotate_90(*, probability: Fraction) -> RandomRotate90:
    """Rotates training samples by 90, 180 or 270 degrees, exactly; by 180 where two sides differ, as the size stays.

    Volumes are rotated in a plane of any two axes.

    Args:
        probability: With which it happens.
    """
    return RandomRotate90(probability)


def rotation(name: str, extent: Extent, angles: Sequence[float]) -> Motion | None:
    """A rotation by angles in degrees: one in the plane of the last two axes, or three about the axes of volumes.

    Raises:
        ConfigError: Samples have too few axes.
    """
    last = axis_from_end(name, extent, 2, "height")
    plane = (last, last + 1)
    if len(angles) == 3:
        axis_from_end(name, extent, 3, "depth")
        turning = [axis for axis, angle in enumerate(angles) if angle % 360]
        if len(turning) == 1:
            (about,) = turning
            first, second = (axis for axis in range(3) if axis != about)
            plane, angles = (first, second), [angles[about]]
        elif turning:
            about_depth, about_height, about_width = (
                _embedded(angle, *plane) for angle, plane in zip(angles, ((1, 2), (0, 2), (0, 1)), strict=True)
            )
            return Linear(extent, (0, 1, 2), about_width @ about_height @ about_depth)
        else:
            return None
    (angle,) = angles
    turns, rest = divmod(angle % 360, 90)
    first, second = (extent[axis] for axis in plane)
    if rest == 0 and (turns % 2 == 0 or first == second):
        return QuarterTurns(extent, int(turns), plane) if turns else None
    return Linear(extent, plane, _turn(angle))


def _turn(angle: float) -> np.ndarray:
    """Clockwise for axes (y, x)."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([[cosine, sine], [-sine, cosine]])


def _embedded(angle: float, first: int, second: int) -> np.ndarray:
    matrix = np.eye(3)
    matrix[np.ix_([first, second], [first, second])] = _turn(angle)
    return matrix


def _checked(name: str, angle: float | list[float]) -> tuple[float, ...]:
    angles = tuple(angle) if isinstance(angle, list) else (angle,)
    if len(angles) not in (1, 3):
        message = f"must be one angle, or three about the axes of depth, height and width, got {len(angles)}"
        raise ConfigError(Problem(f"data.transforms.{name}", message))
    return angles


def _shown(angles: tuple[float, ...]) -> str:
    texts = [f"{angle:g}" for angle in angles]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
