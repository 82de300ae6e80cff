"""How arrays are cut into slices: which windows there are, in pure arithmetic."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TypeAlias

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, Index

Extent: TypeAlias = tuple[int, ...]
Window: TypeAlias = tuple[slice, ...]

_MAX_AXES = 3


@dataclass(frozen=True)
class Slicer:
    """One way to cut arrays; see `slicer` for the meaning of the values, of which there is one for each axis.

    Args:
        name: What the set of slices is called; empty for a name by its number.
        sizes: Extents of a slice.
        strides: Steps between the beginnings of slices.
        pads: Zeros in front of a slice and behind it.
        discard_remainders: Whether slices that reach beyond the array are left out.
        transpose: Whether the two axes of a slice change places.
    """

    name: str
    sizes: Extent
    strides: Extent
    pads: tuple[tuple[int, int], ...]
    discard_remainders: bool
    transpose: bool

    @property
    def padded(self) -> Extent:
        """Extents of a slice with its zeros."""
        return tuple(size + sum(pad) for size, pad in zip(self.sizes, self.pads, strict=True))

    @property
    def sample_extent(self) -> Extent:
        """Extents of a sample: the padded slice without axes of extent 1, in the order in which the network sees it."""
        extent = tuple(size for size in self.padded if size > 1)
        return extent[::-1] if self.transpose else extent

    @property
    def disjoint(self) -> bool:
        """Whether no two slices overlap."""
        return all(stride >= size for size, stride in zip(self.sizes, self.strides, strict=True))


@component("slicer")
def slicer(
    *,
    sizes: list[Count],
    name: str | None = None,
    strides: list[Count] | None = None,
    padding: list[Index] | None = None,
    padded_sizes: list[Count] | None = None,
    discard_remainders: bool = False,
    transpose: bool = False,
) -> Slicer:
    """Cuts arrays into slices that overlap or not, each of which is a sample.

    Lists have one value for each axis in space; an axis of the channels is never named. Slices follow one another with
    the last axis running fastest.

    Args:
        sizes: Extents of a slice; axes of extent 1 vanish from the sample.
        name: What the set of slices is called in the log and in `hdf5_outfile`; `slice_set_1`, ... by default.
        strides: Steps from slice to slice; `sizes` by default, so that slices lie side by side.
        padding: Zeros on both sides of a slice.
        padded_sizes: Extents of a slice with its zeros, in place of `padding`; an odd number of zeros puts one more
            behind the slice than in front of it.
        discard_remainders: Leaves out what no whole slice covers, instead of filling up slices with zeros.
        transpose: Lets the two axes of two-dimensional slices change places.

    Raises:
        ConfigError: The values contradict each other.
    """

    def wrong(key: str, message: str) -> ConfigError:
        return ConfigError(Problem(f"data.slicers.{key}", message))

    if not 1 <= len(sizes) <= _MAX_AXES:
        raise wrong("sizes", f"must be 1, 2 or 3 extents, one for each axis in space, got {len(sizes)}")
    for key, values in (("strides", strides), ("padding", padding), ("padded_sizes", padded_sizes)):
        if values is not None and len(values) != len(sizes):
            raise wrong(key, f"has {len(values)} values, but `sizes` has {len(sizes)}; give one for each axis")
    if padding is not None and padded_sizes is not None:
        raise wrong("padding", "`padding` and `padded_sizes` both say how much is added; remove one of them")
    pads = [(pad, pad) for pad in padding or [0] * len(sizes)]
    if padded_sizes is not None:
        if any(padded < size for padded, size in zip(padded_sizes, sizes, strict=True)):
            raise wrong("padded_sizes", f"must not be smaller than `sizes` {sizes}, got {padded_sizes}")
        added = [padded - size for padded, size in zip(padded_sizes, sizes, strict=True)]
        pads = [(extra // 2, extra - extra // 2) for extra in added]
    made = Slicer(name or "", tuple(sizes), tuple(strides or sizes), tuple(pads), discard_remainders, transpose)
    if transpose and len(made.sample_extent) != 2:
        raise wrong("transpose", f"is for slices of two axes, but those of {list(made.padded)} have another number")
    return made


@dataclass(frozen=True)
class Grid:
    """The slices of one array.

    Args:
        extent: Extents of the array in space.
        slicer: How it is cut.
    """

    extent: Extent
    slicer: Slicer

    @functools.cached_property
    def counts(self) -> Extent:
        """Number of slices along each axis."""
        return tuple(
            (size <= n) * ((n - size) // stride + 1)
            if self.slicer.discard_remainders
            else -(-max(n - size, 0) // stride) + 1
            for n, size, stride in zip(self.extent, self.slicer.sizes, self.slicer.strides, strict=True)
        )

    def __len__(self) -> int:
        return math.prod(self.counts)

    @property
    def covered(self) -> Extent:
        """The extent that slices are put together to: that of the array, or where remainders are left out that of
        its part from the first slice to the last."""  # noqa: D205, D209 - one sentence
        if not self.slicer.discard_remainders:
            return self.extent
        return tuple(
            (count - 1) * stride + size if count else 0
            for count, stride, size in zip(self.counts, self.slicer.strides, self.slicer.sizes, strict=True)
        )

    def place(self, index: int) -> Extent:
        """Where a slice stands in the grid: its number along each axis."""
        numbers = []
        for count in reversed(self.counts):
            index, number = divmod(index, count)
            numbers.append(number)
        return tuple(reversed(numbers))

    def window(self, index: int) -> Window:
        """What a slice covers of the array; shorter than the slice where it reaches beyond the array."""
        starts = (number * stride for number, stride in zip(self.place(index), self.slicer.strides, strict=True))
        return tuple(
            slice(min(start, n), min(start + size, n))
            for start, size, n in zip(starts, self.slicer.sizes, self.extent, strict=True)
        )

    @functools.cached_property
    def whole(self) -> bool:
        """Whether no slice reaches beyond the array."""
        return self.slicer.discard_remainders or all(
            (count - 1) * stride + size <= n
            for count, stride, size, n in zip(
                self.counts, self.slicer.strides, self.slicer.sizes, self.extent, strict=True
            )
        )
