"""Padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rmldnn.component import component
from rmldnn.data.transforms.geometric import Geometric, checked_size, size_for
from rmldnn.data.transforms.motion import Extent, Window
from rmldnn.types import Count


@dataclass(frozen=True)
class PadTo(Geometric):
    """Pads at all sides.

    Args:
        size: As the user wrote it.
    """

    size: tuple[int, ...]

    name: ClassVar[str] = "pad_to"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent) -> Window | None:
        """A window around the sample, one pixel more at the end where it cannot be in the very middle."""
        wanted = tuple(map(max, size_for(self.name, self.size, extent), extent))
        start = tuple(-((want - have) // 2) for have, want in zip(extent, wanted, strict=True))
        return None if wanted == extent else Window(start, wanted)

    def __str__(self) -> str:
        return str(list(self.size))


@component("pad_to")
def pad_to(*, size: list[Count]) -> PadTo:
    """Pads samples with zeros at all sides up to a size, the sample in the middle; axes that are longer stay.

    Args:
        size: Width and height in pixels, of pictures or of every slice of volumes; three numbers are depth, height and
            width of volumes, one is the length of lines.

    Raises:
        ConfigError: The size has not one to three numbers.
    """
    return PadTo(checked_size("pad_to", size))
