"""What geometric transforms have in common: they describe a motion, and whatever belongs to the sample follows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np

from rmldnn.data.transform import Boxes, Part, Sample
from rmldnn.data.transforms.motion import Extent, Motion
from rmldnn.errors import ConfigError, DataError, Problem

LEAST_VISIBLE = 0.1
"""Boxes of which a smaller part of the area stays on the picture are dropped."""


class Geometric(ABC):
    """Does the same to every sample, in training and in tests; see `FixedTransform`."""

    name: ClassVar[str]
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False
    whole_pixels: ClassVar[bool] = False
    """Whether it counts in pixels: sides of other extents would not be moved alike."""

    @abstractmethod
    def motion(self, extent: Extent) -> Motion | None:
        """What happens to samples of an extent; None for nothing."""

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """The moved sample."""
        return moved(sample, part, self.motion(extent_of(sample)))


class RandomGeometric(ABC):
    """Draws anew for every training sample; see `RandomTransform`."""

    name: ClassVar[str]
    random: ClassVar[Literal[True]] = True
    training_only: ClassVar[bool] = True
    whole_pixels: ClassVar[bool] = False
    """As of `Geometric`."""

    @abstractmethod
    def motion(self, extent: Extent, generator: np.random.Generator) -> Motion | None:
        """What happens to samples of an extent; None for nothing."""

    def __call__(self, sample: Sample, part: Part, generator: np.random.Generator) -> Sample:
        """The moved sample."""
        return moved(sample, part, self.motion(extent_of(sample), generator))


def extent_of(sample: Sample) -> Extent:
    """The spatial extent of a sample."""
    return sample.extent if isinstance(sample, Boxes) else sample.shape[:-1]


def moved(sample: Sample, part: Part, motion: Motion | None) -> Sample:
    """A sample after a motion: boxes as `boxed`, masks by the nearest pixel, everything else by blending."""
    if motion is None:
        return sample
    if isinstance(sample, Boxes):
        return boxed(sample, motion)
    return motion.move(sample, nearest=part.mask)


def boxed(boxes: Boxes, motion: Motion) -> Boxes:
    """The upright boxes around the moved corners, cut off at the borders; without those that are hardly visible."""
    height, width = motion.extent
    left, top, right, bottom = boxes.values[:, 1:].T.astype(np.float64)
    corners = np.stack([[top, left], [top, right], [bottom, left], [bottom, right]])  # (4, 2, k)
    points = motion.points(corners.transpose(2, 0, 1).reshape(-1, 2)).reshape(-1, 4, 2)
    low, high = points.min(axis=1), points.max(axis=1)
    limits = (height, width)
    seen_low, seen_high = np.clip(low, 0, limits), np.clip(high, 0, limits)
    area, seen = np.prod(high - low, axis=1), np.prod(seen_high - seen_low, axis=1)
    values = np.column_stack([boxes.values[:, 0], seen_low[:, ::-1], seen_high[:, ::-1]]).astype(np.float32)
    return Boxes((height, width), values[(seen > 0) & (seen >= LEAST_VISIBLE * area)])


def axis_from_end(name: str, extent: Extent, place: int, word: str) -> int:
    """The number of an axis that is counted from the end: 1 for the width, 2 for the height, 3 for the depth.

    Raises:
        ConfigError: Samples have too few axes.
    """
    if len(extent) < place:
        raise ConfigError(
            Problem(
                f"data.transforms.{name}",
                f"acts on the {word}, but samples of shape {list(extent)} (without channels) have none; remove it",
            )
        )
    return len(extent) - place


def size_for(name: str, size: tuple[int, ...], extent: Extent) -> Extent:
    """The extent that a size means for samples of some extent: two numbers are width and height, others in order.

    Raises:
        ConfigError: The size is for samples with another number of axes.
    """
    if len(size) == 2 and len(extent) in (2, 3):
        width, height = size
        return (*extent[:-2], height, width)
    if len(size) == len(extent):
        return size
    raise ConfigError(
        Problem(
            f"data.transforms.{name}",
            f"has {len(size)} number{'s' if len(size) > 1 else ''}, but samples have the shape {list(extent)} (without "
            "channels); give the width and the height of pictures, one number for each axis of volumes in their order "
            "(depth, height, width), one number for lines",
        )
    )


def checked_size(name: str, size: list[int]) -> tuple[int, ...]:
    """A size as the user wrote it.

    Raises:
        ConfigError: It has not one to three numbers.
    """
    if not 1 <= len(size) <= 3:
        message = f"must be a list of 2 numbers (width, height) or 3 (depth, height, width), got {len(size)}"
        raise ConfigError(Problem(f"data.transforms.{name}", message))
    return tuple(size)


def require_room(name: str, wanted: Extent, extent: Extent) -> None:
    """Checks that a window fits into a sample.

    Raises:
        DataError: It does not.
    """
    if any(want > have for want, have in zip(wanted, extent, strict=True)):
        raise DataError(
            f"`{name}` cannot cut {in_words(wanted)} out of a sample of {in_words(extent)}; make samples larger before "
            f"it, by `resize` or `pad_to`, or the size smaller"
        )


def in_words(extent: Extent) -> str:
    """An extent as messages show it."""
    if len(extent) == 2:
        return f"{extent[1]} x {extent[0]} (width x height)"
    return " x ".join(map(str, extent)) + (" (depth x height x width)" if len(extent) == 3 else "")
