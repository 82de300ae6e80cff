"""Blurring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Pixels
from rmldnn.data.transforms.photographic import RandomPhotographic, interval
from rmldnn.data.transforms.sampling import with_channels, working
from rmldnn.types import Positive

_REACH = 4
"""Half the width of the kernel in standard deviations."""
_LEAST = 0.1
"""Kernels that are narrower leave numbers as they are."""


@dataclass(frozen=True)
class GaussianBlur(RandomPhotographic):
    """Blurs with a Gaussian kernel.

    Args:
        low: Smallest standard deviation in pixels.
        high: Largest.
    """

    low: float
    high: float

    name: ClassVar[str] = "gaussian_blur"

    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """Blurred along all axes in space."""
        sigma = generator.uniform(self.low, self.high)
        if sigma < _LEAST:
            return pixels
        kernel = cv2.getGaussianKernel(2 * int(_REACH * sigma + 0.5) + 1, sigma)
        return working(pixels, lambda values: _blurred(values, kernel))

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"[{self.low:g}, {self.high:g}]"


@component("gaussian_blur")
def gaussian_blur(*, sigma: Positive | list[Positive]) -> GaussianBlur:
    """Blurs training inputs with a Gaussian kernel along all axes in space; targets stay as they are.

    Args:
        sigma: Standard deviation in pixels; a list gives the smallest and the largest, between which it is drawn.

    Raises:
        ConfigError: A list has not two numbers in order.
    """
    return GaussianBlur(*(interval("gaussian_blur", sigma) if isinstance(sigma, list) else (sigma, sigma)))


def _blurred(values: Pixels, kernel: np.ndarray) -> Pixels:
    if values.ndim == 3:
        return with_channels(_filtered(values, kernel, kernel))
    if values.ndim == 4:
        if values.dtype != np.float64:  # rounding once, after both steps
            values = values.astype(np.float32)
        values = np.stack([with_channels(_filtered(one, kernel, kernel)) for one in values])
    flat = values.reshape(len(values), -1)
    return _filtered(flat, np.ones(1), kernel).reshape(values.shape)


def _filtered(picture: Pixels, across: np.ndarray, down: np.ndarray) -> Pixels:
    filtered: Pixels = cv2.sepFilter2D(picture, -1, across, down, borderType=cv2.BORDER_REFLECT)
    return filtered
