"""How far apart the surfaces of what was found and what is there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.metrics.extra import ndimage
from rmldnn.metrics.measure import by_class
from rmldnn.metrics.reading import Reading, require_axes
from rmldnn.types import Positive


@dataclass(frozen=True)
class Surfaces:
    """Sums of the distances of all samples, and their number, for each class.

    The shape is (classes, 2), or (labels, 1, 2) of several yes or no. Computed on the host.
    """

    reading: Reading
    spacing: tuple[float, ...] | None
    include_background: bool

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """The sums of a batch."""
        require_axes(output, "HD95", (1, 2, 3))
        axes = output.ndim - 2
        if self.spacing is not None and len(self.spacing) != axes:
            message = f"HD95: `spacing` has {len(self.spacing)} numbers, but there are {axes} axes; give one for each"
            raise ConfigError(Problem("metrics", message))
        labels = self.reading.has_labels(output, target)
        truth = self.reading.truth(output, target, "HD95").cpu().numpy()
        said = self.reading.decision(output, labels).cpu().numpy()
        channels = output.shape[1]
        sums = np.zeros((channels, 2))
        for sample in range(len(output)):
            for index in range(0 if labels or self.include_background else 1, channels):
                found = said[sample, index] == 1 if labels else said[sample] == index
                there = truth[sample, index] == 1 if labels else truth[sample] == index
                if self.reading.ignore_index is not None:
                    found &= (truth[sample, index] if labels else truth[sample]) >= 0
                if found.any() or there.any():
                    sums[index] += hd95(found, there, self.spacing or (1.0,) * axes), 1
        return torch.from_numpy(sums).view((channels, 1, 2) if labels else (channels, 2)).to(output.device)


def hd95(found: np.ndarray, there: np.ndarray, spacing: tuple[float, ...]) -> float:
    """The 95th percentile of the distances from the surface of either mask to that of the other, the larger one.

    Args:
        found: A mask of booleans.
        there: Another one of the same shape.
        spacing: Distance of neighbours along each axis.

    Returns:
        The distance; if one mask is empty, the largest that there can be in an array of this shape.
    """
    if not (found.any() and there.any()):
        return math.hypot(*((extent - 1) * step for extent, step in zip(found.shape, spacing, strict=True)))
    (box,) = ndimage().find_objects((found | there).astype(np.uint8))
    first, second = _surface(found[box]), _surface(there[box])
    return max(_percentile(first, second, spacing), _percentile(second, first, spacing))


def _surface(mask: np.ndarray) -> np.ndarray:
    """Places of a mask with a neighbour along some axis that is outside of it, or of the array."""
    return mask & ~ndimage().binary_erosion(mask)  # type: ignore[no-any-return]


def _percentile(places: np.ndarray, surface: np.ndarray, spacing: tuple[float, ...]) -> float:
    distances: Any = ndimage().distance_transform_edt(~surface, sampling=spacing)
    return float(np.percentile(distances[places], 95))


@dataclass(frozen=True)
class Hd95:
    """The mean distance over samples, for each class, and the mean of these."""

    counter: Surfaces
    name: str = "HD95"

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """The mean, and the value of each class or label that is asked for."""
        first = 0 if self.counter.include_background or sums.ndim == 3 else 1
        total, number = sums.view(-1, 2)[first:].unbind(1)
        values = total / number
        names = [self.counter.reading.name(first + index) for index in range(len(values))]
        return by_class(self.name, values.nanmean(), values, names)


@component("HD95", title="HD95 (95th percentile of the Hausdorff distance)")
def hausdorff(reading: Reading, *, spacing: list[Positive] | None = None, include_background: bool = False) -> Hd95:
    """The distance within which 95 percent of each surface lie from the other, averaged over samples, for each class.

    A sample that has a class neither in the target nor in the output says nothing about it; if only one of them has it,
    the distance is the largest possible, from corner to corner. Needs scipy.

    Args:
        reading: What outputs and targets mean.
        spacing: Distance of neighbours along each spatial axis, in the unit that the result shall have; 1 if absent.
        include_background: Whether class 0 has a distance too; yes-or-no outputs have no background.
    """
    ndimage()
    return Hd95(Surfaces(reading, None if spacing is None else tuple(spacing), include_background))
