"""Natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Boxes, Part, Sample
from rmldnn.errors import DataError


@dataclass(frozen=True)
class Log:
    """Takes the logarithm of every number; see `FixedTransform`."""

    name: ClassVar[str] = "log"
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """float32; class indices as they are.

        Raises:
            DataError: A number has no logarithm.
        """
        if isinstance(sample, Boxes) or part.mask:
            return sample
        least = sample.min()
        if not least > 0:
            raise DataError(
                f"`log` needs numbers greater than 0, but the smallest is {least:.4g}; leave the transform out, or "
                "add to the data what makes it positive"
            )
        return np.log(sample, dtype=np.float32 if sample.dtype.kind in "biu" else None).astype(np.float32)

    def __str__(self) -> str:
        return "natural"


@component("log")
def log() -> Log:
    """Takes the natural logarithm of every number; class indices stay as they are.

    For what spans orders of magnitude, such as coefficients of equations. Numbers are floats afterwards, and those of
    pictures are not scaled to [0, 1] before.
    """
    return Log()
