"""What transforms of intensities have in common.

They act on inputs alone: a target is what the network should say, whatever the light was. Integers stay integers of
their type; what no longer fits becomes the smallest or largest one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from rmldnn.data.transform import Boxes, Part, Pixels, Sample
from rmldnn.data.transforms.sampling import cast
from rmldnn.errors import ConfigError, Problem

_TABLES = ("uint8", "uint16")


class RandomPhotographic(ABC):
    """Draws anew for every training input; see `RandomTransform`."""

    name: ClassVar[str]
    random: ClassVar[Literal[True]] = True
    training_only: ClassVar[bool] = True

    @abstractmethod
    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """The changed input."""

    def __call__(self, sample: Sample, part: Part, generator: np.random.Generator) -> Sample:
        """The changed input; targets as they are."""
        if isinstance(sample, Boxes) or part.role != "input":
            return sample
        return self.change(sample, generator)


def white(pixels: Pixels) -> float:
    """What counts as 1: the largest number of unsigned integers, and 1 for numbers of any other kind."""
    return float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1.0


def each(pixels: Pixels, curve: Callable[[Any], Any]) -> Pixels:
    """Maps every number by `curve`, which takes floats.

    Pixels of 8 and 16 bits are looked up in a table; integers are rounded and bounded.
    """
    kind = pixels.dtype
    if kind.name in _TABLES and pixels.size >= np.iinfo(kind).max // 4:
        table = cast(curve(np.arange(np.iinfo(kind).max + 1, dtype=np.float64)), kind)
        if kind == np.uint8:
            looked_up: Pixels = cv2.LUT(np.ascontiguousarray(pixels).reshape(1, -1), table).reshape(pixels.shape)
        else:
            looked_up = table.take(pixels)
        return looked_up
    return cast(curve(pixels if kind.kind == "f" else pixels.astype(np.float64)), kind)


def interval(name: str, amount: float | list[float], around: float = 0.0) -> tuple[float, float]:
    """The interval from which a transform draws: `around` plus or minus a number, or the two numbers of a list.

    Raises:
        ConfigError: The list has not two numbers in order.
    """
    if not isinstance(amount, list):
        return around - amount, around + amount
    if len(amount) != 2 or amount[0] > amount[1]:
        message = f"must be a number or a list of the lowest and the highest, got {amount}"
        raise ConfigError(Problem(f"data.transforms.{name}", message))
    return amount[0], amount[1]


def shown(low: float, high: float) -> str:
    """An interval as the log shows it."""
    return f"[{low:g}, {high:g}]"
