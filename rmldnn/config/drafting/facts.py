"""What a first configuration follows from: facts about data, and what somebody chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rmldnn.config.keys import Values

Task: TypeAlias = Literal["classification", "regression", "segmentation", "image-to-image", "detection"]
Extent: TypeAlias = tuple[int, ...]
PICTURE, VOLUME = 2, 3
"""Axes in space."""


@dataclass(frozen=True)
class Facts:
    """What has to be known about data.

    Args:
        task: What is to be learned.
        data: Keys of the section `data` by which it is read: types, paths, and what a source has to be told.
        samples: How many are to be learned from.
        tested: How many the test set has; 0 if there is none.
        least: The smallest extent of the inputs along each axis in space: (height, width) of pictures.
        most: The largest.
        usual: The median; that of the targets, where these are larger pictures.
        channels: Of the inputs.
        outputs: Classes, columns of numbers, or channels of the targets.
        classes: Names of classes, where they have some.
        pixels: Whether inputs are pictures, whose numbers become those from 0 to 1.
        mean: Of each channel of the inputs.
        deviation: Likewise.
        targets: Mean and deviation of each channel of targets that are numbers; none of classes.
        resized: Whether targets have other extents than their inputs.
        sliced: Whether samples may be cut out of the arrays.
        every: Whether all samples were looked at, so that none has another extent.
        width: Bytes of a number.
        ignored: A class index of the targets that stands for no class.
    """

    task: Task
    data: Mapping[str, Any]
    samples: int
    tested: int
    least: Extent
    most: Extent
    usual: Extent
    channels: int
    outputs: int
    classes: Sequence[str] = ()
    pixels: bool = True
    mean: Sequence[float] = ()
    deviation: Sequence[float] = ()
    targets: tuple[Sequence[float], Sequence[float]] | None = None
    resized: bool = False
    sliced: bool = False
    every: bool = True
    width: int = 1
    ignored: int | None = None

    @property
    def axes(self) -> int:
        """How many axes in space there are."""
        return len(self.usual)


@dataclass(frozen=True)
class Wishes:
    """What somebody may choose.

    Args:
        network: A family of networks, or `layers`.
        extent: What samples are made; (height, width) of pictures.
        num_epochs: How often each sample is seen.
        batch_size: Samples of an update.
    """

    network: str
    extent: Extent
    num_epochs: int
    batch_size: int


@dataclass(frozen=True)
class Draft:
    """A configuration.

    Args:
        values: The content of `neural_network`.
        remarks: Comments, each by the location of the value that it stands behind.
    """

    values: Values
    remarks: Mapping[tuple[str, ...], str] = field(default_factory=dict)
