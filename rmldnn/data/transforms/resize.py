"""Resizing to a fixed size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from rmldnn.component import component
from rmldnn.data.transforms.geometric import Geometric, checked_size, size_for
from rmldnn.data.transforms.motion import Extent, Scaling
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count

_MAX_PIXELS = 2**31


@dataclass(frozen=True)
class Resize(Geometric):
    """Resizes samples, whatever their proportions.

    Args:
        size: As the user wrote it.
    """

    size: tuple[int, ...]

    name: ClassVar[str] = "resize"

    def motion(self, extent: Extent) -> Scaling | None:
        """To that size."""
        wanted = size_for(self.name, self.size, extent)
        return None if wanted == extent else Scaling(extent, wanted)

    def __str__(self) -> str:
        return str(list(self.size))


@component("resize")
def resize(*, size: list[Count]) -> Resize:
    """Resizes samples linearly (bilinear), or to the nearest pixel for masks and classes.

    Args:
        size: Width and height in pixels, of pictures or of every slice of volumes; three numbers are depth, height and
            width of volumes, one is the length of lines.

    Raises:
        ConfigError: The size has not one to three numbers, or these are more pixels than a picture may have.
    """
    sizes = checked_size("resize", size)
    if math.prod(sizes) > _MAX_PIXELS:
        product = " x ".join(map(str, sizes))
        message = f"{product} are more pixels than a picture may have, {_MAX_PIXELS}; choose a smaller size"
        raise ConfigError(Problem("data.transforms", message))
    return Resize(sizes)
