"""Resizing to a fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2

from rmldnn.component import component
from rmldnn.data.transform import Part, Pixels
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Size2D

_MAX_PIXELS = 2**31


@dataclass(frozen=True)
class Resize:
    """Resizes images, whatever their proportions; see `FixedTransform`.

    Args:
        width: In pixels.
        height: In pixels.
    """

    width: int
    height: int

    name: ClassVar[str] = "resize"
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False

    def __call__(self, pixels: Pixels, part: Part) -> Pixels:
        """The image with shape (height, width, C); the same array if it has this shape."""
        if pixels.shape[0] == self.height and pixels.shape[1] == self.width:
            return pixels
        how = cv2.INTER_NEAREST if part.mask else cv2.INTER_LINEAR
        resized: Pixels = cv2.resize(pixels, (self.width, self.height), interpolation=how)
        return resized if resized.ndim == 3 else resized[..., None]  # OpenCV drops a single channel

    def __str__(self) -> str:
        return f"[{self.width}, {self.height}]"


@component("resize")
def resize(*, size: Size2D) -> Resize:
    """Resizes images: bilinear, or to the nearest pixel for masks (`target_is_mask`).

    Args:
        size: Width and height in pixels.

    Raises:
        ConfigError: These are more pixels than a picture may have.
    """
    width, height = size
    if width * height > _MAX_PIXELS:
        message = f"{width} x {height} are more pixels than a picture may have, {_MAX_PIXELS}; choose a smaller size"
        raise ConfigError(Problem("data.transforms", message))
    return Resize(width, height)
