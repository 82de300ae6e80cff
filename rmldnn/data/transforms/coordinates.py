"""Channels that say where in a sample a place is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Boxes, Part, Sample
from rmldnn.errors import ConfigError, Problem

_NAMES = "xyz"


@dataclass(frozen=True)
class Coordinates:
    """Adds a channel for each axis; see `FixedTransform`.

    Args:
        axes: Names of axes in space.
    """

    axes: tuple[str, ...]

    name: ClassVar[str] = "coordinates"
    random: ClassVar[Literal[False]] = False
    training_only: ClassVar[bool] = False

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """float32, the new channels behind the others; targets as they are.

        Raises:
            ConfigError: The sample has no such axis.
        """
        if isinstance(sample, Boxes) or part.role != "input":
            return sample
        *extent, channels = sample.shape
        result = np.empty((*extent, channels + len(self.axes)), np.float32)
        result[..., :channels] = sample
        for channel, name in enumerate(self.axes, start=channels):
            axis = _NAMES.index(name)
            if axis >= len(extent):
                has = f"{len(extent)} axis" if len(extent) == 1 else f"{len(extent)} axes"
                message = f"there is no axis `{name}` in samples that have {has} in space"
                raise ConfigError(Problem("data.input_transforms.coordinates", message))
            line = np.linspace(0, 1, extent[axis], dtype=np.float32)
            result[..., channel] = line.reshape(-1, *[1] * (len(extent) - 1 - axis))
        return result

    def __str__(self) -> str:
        return ", ".join(self.axes)


@component("coordinates")
def coordinates(*, axes: list[Literal["x", "y", "z"]]) -> Coordinates:
    """Adds channels to inputs with the coordinate of each place, from 0 to 1; targets stay as they are.

    The network's input has that many channels more. Numbers are floats afterwards, and those of pictures are no longer
    scaled to [0, 1]. What moves samples, such as a crop or a flip, comes before it.

    Args:
        axes: Of which axes: `x` is the first one in space, `y` the second, `z` the third.

    Raises:
        ConfigError: No axis is named, or one twice.
    """
    if not axes or len(set(axes)) < len(axes):
        raise ConfigError(Problem("data.input_transforms.coordinates", f"must name each axis once, got {axes}"))
    return Coordinates(tuple(axes))
