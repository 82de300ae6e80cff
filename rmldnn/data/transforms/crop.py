"""Cutting windows out of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transforms.geometric import Geometric, RandomGeometric, checked_size, require_room, size_for
from rmldnn.data.transforms.motion import Extent, Window
from rmldnn.types import Count, Fraction


@dataclass(frozen=True)
class CenterCrop(Geometric):
    """Cuts out the middle.

    Args:
        size: As the user wrote it.
    """

    size: tuple[int, ...]

    name: ClassVar[str] = "center_crop"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent) -> Window | None:
        """A window in the middle; one pixel nearer to the start where it cannot be in the very middle."""
        wanted = size_for(self.name, self.size, extent)
        require_room(self.name, wanted, extent)
        start = tuple((have - want) // 2 for have, want in zip(extent, wanted, strict=True))
        return None if wanted == extent else Window(start, wanted)

    def __str__(self) -> str:
        return str(list(self.size))


@component("center_crop")
def center_crop(*, size: list[Count]) -> CenterCrop:
    """Cuts out the middle of samples; a sample that is smaller is an error.

    Args:
        size: Width and height in pixels, of pictures or of every slice of volumes; three numbers are depth, height and
            width of volumes, one is the length of lines.

    Raises:
        ConfigError: The size has not one to three numbers.
    """
    return CenterCrop(checked_size("center_crop", size))


@dataclass(frozen=True)
class RandomCrop(RandomGeometric):
    """Cuts out a window anywhere.

    Args:
        size: As the user wrote it.
    """

    size: tuple[int, ...]

    name: ClassVar[str] = "random_crop"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent, generator: np.random.Generator) -> Window | None:
        """A window, every position as probable as any other."""
        wanted = size_for(self.name, self.size, extent)
        require_room(self.name, wanted, extent)
        places = generator.random(len(extent))
        start = tuple(int(place * (have - want + 1)) for place, have, want in zip(places, extent, wanted, strict=True))
        return None if wanted == extent else Window(start, wanted)

    def __str__(self) -> str:
        return str(list(self.size))


@component("random_crop")
def random_crop(*, size: list[Count]) -> RandomCrop:
    """Cuts a window of a fixed size out of training samples, anywhere; a sample that is smaller is an error.

    Test samples keep their size: a `center_crop` of the same size after it cuts those, and leaves training samples as
    they are.

    Args:
        size: Width and height in pixels, of pictures or of every slice of volumes; three numbers are depth, height and
            width of volumes, one is the length of lines.

    Raises:
        ConfigError: The size has not one to three numbers.
    """
    return RandomCrop(checked_size("random_crop", size))


@dataclass(frozen=True)
class JitterCrop(RandomGeometric):
    """Cuts something off every side.

    Args:
        amount: The largest part of half an extent that is cut off a side.
    """

    amount: float

    name: ClassVar[str] = "jitter_crop"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent, generator: np.random.Generator) -> Window:
        """A window that keeps at least one pixel of every axis."""
        cuts = generator.uniform(0, self.amount, (len(extent), 2))
        low, high = (
            [int(cut * size / 2) for cut, size in zip(side, extent, strict=True)] for side in (cuts[:, 0], cuts[:, 1])
        )
        kept = tuple(size - first - last for size, first, last in zip(extent, low, high, strict=True))
        return Window(tuple(low), kept)

    def __str__(self) -> str:
        return f"{self.amount:g}"


@component("jitter_crop")
def jitter_crop(*, amount: Fraction) -> JitterCrop:
    """Cuts c S / 2 pixels off each side of training samples of extent S, with a c of its own for each side.

    Sizes then differ from sample to sample: `resize` should follow.

    Args:
        amount: The c are drawn between 0 and this.
    """
    return JitterCrop(amount)
