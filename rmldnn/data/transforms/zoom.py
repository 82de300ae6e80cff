"""Enlarging and shrinking on the same canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transforms.geometric import RandomGeometric
from rmldnn.data.transforms.motion import Chain, Extent, Linear, Scaling, Window
from rmldnn.types import Fraction, OpenFraction


@dataclass(frozen=True)
class RandomZoom(RandomGeometric):
    """Enlarges the middle to the full extent.

    Args:
        amount: The largest part that is cut off an extent.
    """

    amount: float

    name: ClassVar[str] = "random_zoom"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent, generator: np.random.Generator) -> Chain | None:
        """The same part of all axes is cut off, in whole pixels."""
        part = generator.uniform(0, self.amount)
        start = tuple(int(part * size / 2) for size in extent)
        kept = tuple(size - 2 * low for size, low in zip(extent, start, strict=True))
        return None if kept == extent else Chain(Window(start, kept), Scaling(kept, extent))

    def __str__(self) -> str:
        return f"{self.amount:g}"


@component("random_zoom")
def random_zoom(*, amount: Fraction) -> RandomZoom:
    """Cuts c S / 2 pixels off all sides of training samples of extent S and resizes what is left to the former size.

    Args:
        amount: c is drawn between 0 and this, once for a sample.
    """
    return RandomZoom(amount)


@dataclass(frozen=True)
class RandomScale(RandomGeometric):
    """Enlarges or shrinks about the middle.

    Args:
        amount: How far the factor may be from 1.
    """

    amount: float

    name: ClassVar[str] = "random_scale"

    def motion(self, extent: Extent, generator: np.random.Generator) -> Linear:
        """The same factor for all axes."""
        factor = generator.uniform(1 - self.amount, 1 + self.amount)
        return Linear(extent, tuple(range(len(extent))), np.eye(len(extent)) * factor)

    def __str__(self) -> str:
        return f"{self.amount:g}"


@component("random_scale")
def random_scale(*, amount: OpenFraction) -> RandomScale:
    """Enlarges or shrinks training samples about their middle; the size stays, borders that become visible are zero.

    Args:
        amount: The factor is drawn between 1 minus this and 1 plus this.
    """
    return RandomScale(amount)
