"""Squares that are taken out of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Boxes, Part, Sample
from rmldnn.data.transforms.motion import Extent
from rmldnn.types import Count


@dataclass(frozen=True)
class _Squares:
    """Draws squares, or cubes in volumes.

    Args:
        number: How many.
        size: Their side in pixels.
    """

    number: int
    size: int

    name: ClassVar[str]
    random: ClassVar[Literal[True]] = True

    def squares(self, extent: Extent, generator: np.random.Generator) -> Iterator[tuple[slice, ...]]:
        """The squares. Centres are anywhere in the sample, borders cut squares off, and squares may overlap."""
        centres = (generator.random((self.number, len(extent))) * extent).astype(np.int64)
        for low in (centres - self.size // 2).tolist():
            yield tuple(slice(max(first, 0), max(first + self.size, 0)) for first in low)

    def __str__(self) -> str:
        return f"number: {self.number}, size: {self.size}"


@dataclass(frozen=True)
class RandomPatches(_Squares):
    """Cuts squares out of the input; the target shows nothing but them."""

    name: ClassVar[str] = "random_patches"
    whole_pixels: ClassVar[bool] = True
    training_only: ClassVar[bool] = False

    def __call__(self, sample: Sample, part: Part, generator: np.random.Generator) -> Sample:
        """The input with holes, or what fills the holes."""
        if isinstance(sample, Boxes):
            return sample
        hidden = part.role == "input"
        kept = sample.copy() if hidden else np.zeros_like(sample)
        for square in self.squares(sample.shape[:-1], generator):
            kept[square] = 0 if hidden else sample[square]
        return kept


@component("random_patches")
def random_patches(*, number: Count, size: Count) -> RandomPatches:
    """Sets squares of inputs to zero, and all of the targets but these squares: the task of inpainting.

    Targets are usually the inputs again (`target_path` equal to `input_path`). This acts in tests as well, as it
    defines the task; squares are drawn anew in every epoch.

    Args:
        number: How many squares, or cubes in volumes. Their centres are anywhere in the sample; borders cut them off.
        size: Their side in pixels.
    """
    return RandomPatches(number, size)


@dataclass(frozen=True)
class Cutout(_Squares):
    """Cuts squares out of the input."""

    name: ClassVar[str] = "cutout"
    training_only: ClassVar[bool] = True

    def __call__(self, sample: Sample, part: Part, generator: np.random.Generator) -> Sample:
        """The input with holes; targets as they are."""
        if isinstance(sample, Boxes) or part.role != "input":
            return sample
        kept = sample.copy()
        for square in self.squares(sample.shape[:-1], generator):
            kept[square] = 0
        return kept


@component("cutout")
def cutout(*, number: Count, size: Count) -> Cutout:
    """Sets squares of training inputs to zero; targets stay as they are.

    Args:
        number: How many squares, or cubes in volumes. Their centres are anywhere in the sample; borders cut them off.
        size: Their side in pixels.
    """
    return Cutout(number, size)
