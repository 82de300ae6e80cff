"""Noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Pixels
from rmldnn.data.transforms.photographic import RandomPhotographic, white
from rmldnn.data.transforms.sampling import cast
from rmldnn.types import Positive


@dataclass(frozen=True)
class GaussianNoise(RandomPhotographic):
    """Adds noise.

    Args:
        std: Its standard deviation.
    """

    std: float

    name: ClassVar[str] = "gaussian_noise"

    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """Independent noise for every number."""
        kind = np.float64 if pixels.dtype.itemsize > 2 and pixels.dtype != np.float32 else np.float32
        noise = generator.standard_normal(pixels.shape, dtype=kind)
        noise *= self.std * white(pixels)
        noise += pixels
        return cast(noise, pixels.dtype)

    def __str__(self) -> str:
        return f"{self.std:g}"


@component("gaussian_noise")
def gaussian_noise(*, std: Positive) -> GaussianNoise:
    """Adds normally distributed noise to training inputs; targets stay as they are.

    Args:
        std: Standard deviation; for unsigned integers, as those of pictures, 1 is white.
    """
    return GaussianNoise(std)
