"""How much each slice counts where several cover one place: running means along a grid of slices."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.slicer import Grid

_WIDTH = 8
"""The standard deviation of the gaussian weight is this part of a slice's extent: nnU-Net's (Isensee et al. 2021)."""

Axes = tuple[NDArray[np.float64], ...]


class Blending:
    """Weights for slices that come in the order of their grid.

    The mean is a running one: `mean += (slice - mean) * share`. It needs no second volume for the sums of the weights,
    and slices that agree leave it as it is, to the last bit. The weight of a slice is a product over its axes, and so
    what came before at one place is the sum, over the axes, of: same numbers on the axes in front, smaller on this one,
    any on those behind.

    Args:
        grid: The slices.
        kind: `uniform` weighs all places of a slice alike, `gaussian` its middle more than its rim.
    """

    def __init__(self, grid: Grid, kind: Literal["uniform", "gaussian"]) -> None:
        self.grid = grid
        self._weights = [_weight(size, kind) for size in grid.slicer.sizes]
        self._axis = functools.lru_cache(maxsize=1024)(self._along)

    def share(self, number: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """How much of the mean a slice makes where it lies, and where it is the first.

        Args:
            number: Of the slice within the grid.

        Returns:
            Float32 in (0, 1] and bool, of the extent of the slice's window.
        """
        own, before, everything = zip(
            *(self._axis(axis, place) for axis, place in enumerate(self.grid.place(number))), strict=True
        )
        earlier: Any = 0.0
        for axis in range(len(own)):
            earlier = earlier + _outer((*own[:axis], before[axis], *everything[axis + 1 :]))
        mine = _outer(own)
        return (mine / (earlier + mine)).astype(np.float32), earlier == 0.0

    def _along(self, axis: int, place: int) -> Axes:
        """Along the window of the slice with this number on an axis: its weight, that of earlier ones, that of all."""
        size, stride = self.grid.slicer.sizes[axis], self.grid.slicer.strides[axis]
        weight, extent = self._weights[axis], self.grid.extent[axis]
        start = place * stride
        length = min(start + size, extent) - min(start, extent)
        before, everything = np.zeros(length), np.zeros(length)
        reach = math.ceil(size / stride)
        for other in range(max(0, place - reach), min(self.grid.counts[axis], place + reach + 1)):
            shift = (other - place) * stride
            low, high = max(0, shift), min(length, shift + size)
            if low < high:
                everything[low:high] += weight[low - shift : high - shift]
                if other < place:
                    before[low:high] += weight[low - shift : high - shift]
        return weight[:length], before, everything


def _weight(size: int, kind: Literal["uniform", "gaussian"]) -> NDArray[np.float64]:
    if kind == "uniform":
        return np.ones(size)
    places = (np.arange(size) - (size - 1) / 2) / (size / _WIDTH)
    weight: NDArray[np.float64] = np.exp(-0.5 * places**2)
    return weight


def _outer(vectors: Axes) -> NDArray[np.float64]:
    """The outer product, one axis for each vector."""
    return functools.reduce(np.multiply.outer, vectors)
