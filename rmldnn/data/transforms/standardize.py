"""Standardisation of each sample by its own statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.transform import Boxes, Part, Pixels, Sample


@dataclass(frozen=True)
class Standardize:
    """Subtracts a sample's mean and divides by its standard deviation; see `FixedTransform`.

    Args:
        per: Of what mean and deviation are taken.
    """

    per: Literal["channel", "sample"]

    name: ClassVar[str] = "standardize"
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """float32 with mean 0 and deviation 1; all zeros where all numbers are alike. Targets as they are."""
        if isinstance(sample, Boxes) or part.role != "input":
            return sample
        mean, std = _statistics(sample if self.per == "channel" else sample.reshape(-1, 1))
        std = np.where(std > np.abs(mean) * np.finfo(np.float32).eps, std, 1)
        result = sample.astype(np.float32)
        result -= mean.astype(np.float32)
        result /= std.astype(np.float32)
        return result

    def __str__(self) -> str:
        return self.per


def _statistics(sample: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel."""
    flat = np.ascontiguousarray(sample).reshape(-1, sample.shape[-1])
    if flat.shape[1] <= _MAX_CHANNELS and flat.dtype.name in ("uint8", "uint16", "float32"):
        mean, std = cv2.meanStdDev(flat[:, None])  # ten times as fast as NumPy
        return mean[:, 0], std[:, 0]
    return flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64)


_MAX_CHANNELS = 4


@component("standardize")
def standardize(*, per: Literal["channel", "sample"] = "channel") -> Standardize:
    """Subtracts the mean of each input and divides by its standard deviation; targets stay as they are.

    Numbers are floats afterwards, and are no longer scaled to [0, 1].

    Args:
        per: Mean and deviation of each channel of the sample, or of the whole `sample`.
    """
    return Standardize(per)
