"""Mirror images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transforms.geometric import RandomGeometric, axis_from_end
from rmldnn.data.transforms.motion import Extent, Mirror
from rmldnn.types import Fraction

_WORDS = ("width", "height", "depth")


@dataclass(frozen=True)
class _Flip(RandomGeometric):
    """Turns one axis around.

    Args:
        probability: That it happens.
    """

    probability: float

    place: ClassVar[int]
    """Number of the axis, counted from the end, from 1."""

    def motion(self, extent: Extent, generator: np.random.Generator) -> Mirror | None:
        """A mirror image or nothing."""
        axis = axis_from_end(self.name, extent, self.place, _WORDS[self.place - 1])
        return Mirror(extent, (axis,)) if generator.random() < self.probability else None

    def __str__(self) -> str:
        return f"{self.probability:g}"


class RandomHorizontalFlip(_Flip):
    """Swaps left and right."""

    name: ClassVar[str] = "random_horizontal_flip"
    place: ClassVar[int] = 1


class RandomVerticalFlip(_Flip):
    """Swaps top and bottom."""

    name: ClassVar[str] = "random_vertical_flip"
    place: ClassVar[int] = 2


class RandomDepthFlip(_Flip):
    """Swaps the first and the last slice of volumes."""

    name: ClassVar[str] = "random_depth_flip"
    place: ClassVar[int] = 3


@component("random_horizontal_flip")
def random_horizontal_flip(*, probability: Fraction) -> RandomHorizontalFlip:
    """Swaps left and right of training samples.

    Args:
        probability: With which it happens.
    """
    return RandomHorizontalFlip(probability)


@component("random_vertical_flip")
def random_vertical_flip(*, probability: Fraction) -> RandomVerticalFlip:
    """Swaps top and bottom of training samples.

    Args:
        probability: With which it happens.
    """
    return RandomVerticalFlip(probability)


@component("random_depth_flip")
def random_depth_flip(*, probability: Fraction) -> RandomDepthFlip:
    """Swaps front and back of training volumes.

    Args:
        probability: With which it happens.
    """
    return RandomDepthFlip(probability)


@dataclass(frozen=True)
class RandomFlipAxes(RandomGeometric):
    """Turns any of the axes around.

    Args:
        probability: That it happens to an axis.
    """

    probability: float

    name: ClassVar[str] = "random_flip_axes"

    def motion(self, extent: Extent, generator: np.random.Generator) -> Mirror | None:
        """Each axis has its own draw."""
        draws = generator.random(len(extent)) < self.probability
        axes = tuple(np.flatnonzero(draws).tolist())
        return Mirror(extent, axes) if axes else None

    def __str__(self) -> str:
        return f"{self.probability:g}"


@component("random_flip_axes")
def random_flip_axes(*, probability: Fraction) -> RandomFlipAxes:
    """Turns axes of training samples around, all axes in space alike, each drawn by itself.

    Args:
        probability: With which it happens to an axis.
    """
    return RandomFlipAxes(probability)
