"""Resizing that keeps proportions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rmldnn.component import component
from rmldnn.data.transforms.geometric import Geometric, checked_size, size_for
from rmldnn.data.transforms.motion import Chain, Extent, Motion, Scaling, Window
from rmldnn.types import Count

_GREY = 0.5
"""What stands beside the picture, as a part of white."""


@dataclass(frozen=True)
class Letterbox(Geometric):
    """Resizes samples as far as they fit into a size, and fills the rest.

    Args:
        size: As the user wrote it.
    """

    size: tuple[int, ...]

    name: ClassVar[str] = "letterbox"

    def motion(self, extent: Extent) -> Motion | None:
        """A scaling, and a window around what comes of it, one pixel more at the end where halves do not meet."""
        wanted = size_for(self.name, self.size, extent)
        if wanted == extent:
            return None
        factor = min(want / have for want, have in zip(wanted, extent, strict=True))
        scaled = tuple(min(want, max(1, round(factor * have))) for want, have in zip(wanted, extent, strict=True))
        start = tuple(-((want - have) // 2) for want, have in zip(wanted, scaled, strict=True))
        return Chain(Scaling(extent, scaled), Window(start, wanted, _GREY))

    def __str__(self) -> str:
        return str(list(self.size))


@component("letterbox")
def letterbox(*, size: list[Count]) -> Letterbox:
    """Resizes samples until one side has the wanted length, in proportion; what is then missing is grey.

    In masks it is class 0.

    Args:
        size: Width and height in pixels, of pictures or of every slice of volumes; three numbers are depth, height and
            width of volumes, one is the length of lines.

    Raises:
        ConfigError: The size has not one to three numbers.
    """
    return Letterbox(checked_size("letterbox", size))
