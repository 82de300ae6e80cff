"""Slices of arrays as samples: read window by window, so that an array may be larger than memory."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rmldnn.data import memory
from rmldnn.data.arrays import Arrays, Checked, batch_last, meaning_of, relieve
from rmldnn.data.files import fingerprint
from rmldnn.data.finite import require_finite
from rmldnn.data.holding import hold
from rmldnn.data.slicer import Grid, Slicer
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_SHOWN = 4
"""Arrays of which the log tells how they are cut."""


@dataclass(frozen=True)
class Cut:
    """All slices that one slicer makes of one array.

    Args:
        number: Of the cut, among all.
        array: Number of the array.
        grid: Where the slices are.
        first: Number of the first of them among all samples.
    """

    number: int
    array: int
    grid: Grid
    first: int


class Sliced(Source):
    """The slices of arrays, first all of the first slicer; see `Source`.

    Args:
        arrays: What is cut.
        slicers: How; each makes a set of slices.
        inputs: For targets, the slices of the inputs, whose extents must be the same.

    Raises:
        ConfigError: The slicers do not go together.
        DataError: An array has the wrong number of axes, is too small, or differs from its input in extent.
    """

    finite = True

    def __init__(self, arrays: Arrays, slicers: Sequence[Slicer], inputs: Sliced | None = None) -> None:
        self.arrays = arrays
        self.slicers = _named(slicers)
        dimensions = len(self.slicers[0].sizes)
        self.channels = arrays.channels_at(dimensions)
        self.kind = arrays.kind
        self.noun = arrays.noun
        self.meaning = meaning_of(arrays.stored(arrays.example), arrays.side, self.channels)
        extents = [self._extent(index, dimensions) for index in range(len(arrays.names))]
        if inputs is not None:
            _require_same(inputs, self, extents)
        self.cuts: list[Cut] = []
        first = 0
        for made in self.slicers:
            for index, extent in enumerate(extents):
                self.cuts.append(Cut(len(self.cuts), index, Grid(extent, made), first))
                first += len(self.cuts[-1].grid)
        sizes = [len(cut.grid) for cut in self.cuts]
        per_set = np.reshape(sizes, (len(self.slicers), len(extents))).sum(1)
        for made, count in zip(self.slicers, per_set.tolist(), strict=True):
            if not count:
                raise DataError(
                    f"{arrays.locate(0)}: no slice of sizes {list(made.sizes)} (`{made.name}`) fits into the extent "
                    f"{list(extents[0])}; choose smaller `sizes`, or keep remainders"
                )
        self.groups = per_set.tolist()
        self.names = Names(self)
        self._firsts = np.array([cut.first for cut in self.cuts])
        self._sound = np.zeros(len(self), np.bool_)
        """Slices that were looked through for values that are no numbers, which is a tenth of the work of reading."""

    def __len__(self) -> int:
        return sum(self.groups)

    def at(self, index: int) -> tuple[Cut, int]:
        """The cut that a sample belongs to, and its number there."""
        place = int(np.searchsorted(self._firsts, index, side="right")) - 1
        return self.cuts[place], index - self.cuts[place].first

    def take(self, indices: Indices) -> Samples:
        """Reads slices, each by its window; zeros where it reaches beyond the array, and around it."""
        found = [self.at(index) for index in indices.tolist()]
        made = found[0][0].grid.slicer
        if any(cut.grid.slicer is not made for cut, _ in found):
            return [self.take(np.array([index]))[0] for index in indices.tolist()]
        stored = self.arrays.stored(found[0][0].array)
        axis = 0 if self.channels == "first" else len(made.sizes)
        lead = stored.shape[axis : axis + 1] if self.channels != "none" else ()
        shape = (*lead, *made.padded) if axis == 0 else (*made.padded, *lead)
        dtype = np.float32 if stored.dtype == np.float64 else stored.dtype
        filled = made.padded == made.sizes and all(cut.grid.whole for cut, _ in found)
        batch = memory.empty((len(found), *shape), dtype)
        if not filled:
            batch.fill(0)
        for into, (cut, number), index in zip(batch, found, indices.tolist(), strict=True):
            hold(index)
            self._read(into, cut, number)
            if not self._sound[index]:
                require_finite(into, functools.partial(self.locate, index))  # while it is in the processor's cache
                self._sound[index] = True
        relieve(map(self.arrays.stored, {cut.array for cut, _ in found}))
        kept = tuple(
            size for place, size in enumerate(shape) if size > 1 or (lead and place == (0 if axis == 0 else axis))
        )
        batch = batch.reshape(len(found), *kept)
        if made.transpose:
            last = batch.ndim - (1 if self.channels == "last" else 0)
            batch = batch.swapaxes(last - 1, last - 2)
        return batch_last(batch, self.channels)

    def locate(self, index: int) -> str:
        """The array and the window: `block.h5/input[0:64, 0:64, 0:64]`."""
        cut, number = self.at(index)
        return f"{self.arrays.locate(cut.array)}[{_text(cut.grid, number).replace(',', ', ')}]"

    def encoded_bytes(self, limit: int) -> int:
        """Bytes of the arrays."""
        return self.arrays.encoded_bytes(limit)

    def fingerprint(self) -> str:
        """Of the arrays, and how they are cut."""
        return fingerprint(self.arrays.fingerprint(), self.slicers, self.channels, self.meaning)

    def lines(self) -> Iterator[str]:
        """What the log says of the slicers, for each of the first arrays."""
        count = len(self.arrays.names)
        for index in range(min(count, _SHOWN)):
            cuts = self.cuts[index::count]
            yield f"Full size: {list(cuts[0].grid.extent)}"
            for made, cut in zip(self.slicers, cuts, strict=True):
                pads = "".join(f"({low},{high})" for low, high in made.pads)
                yield f"   Slicer: {made.name}"
                yield f"      Sizes       : {list(made.sizes)}"
                yield f"      Padding     : [{pads}]"
                yield f"      Padded sizes: {list(made.padded)}"
                yield f"      Strides     : {list(made.strides)}"
                yield f"      Remainders  : {'discarded' if made.discard_remainders else 'included'}"
                yield f"      Transpose   : {str(made.transpose).lower()}"
                yield f"      Num samples : {len(cut.grid)}"
        if count > _SHOWN:
            yield f"... and {count - _SHOWN} more arrays; {len(self)} samples in all"

    def extent(self, array: int) -> tuple[int, ...]:
        """Extents of an array in space."""
        return self.cuts[array].grid.extent

    def _extent(self, index: int, dimensions: int) -> tuple[int, ...]:
        shape = self.arrays.stored(index).shape
        if len(shape) != dimensions + (self.channels != "none"):
            raise DataError(
                f"{self.arrays.locate(index)}: has shape {shape}, which has another number of axes than the others"
            )
        return {"none": shape, "first": shape[1:], "last": shape[:-1]}[self.channels]

    def _read(self, into: NDArray[Any], cut: Cut, number: int) -> None:
        window = cut.grid.window(number)
        inner = tuple(
            slice(low, low + part.stop - part.start)
            for (low, _), part in zip(cut.grid.slicer.pads, window, strict=True)
        )
        if any(part.stop == part.start for part in window):
            return
        everything = (slice(None),)
        if self.channels == "first":
            window, inner = everything + window, everything + inner
        elif self.channels == "last":
            window, inner = window + everything, inner + everything
        stored = self.arrays.stored(cut.array)
        if isinstance(stored, Checked):
            stored.read(window, into[inner])
        else:
            into[inner] = stored[window]


class Names(Sequence[str]):
    """Names of slices, made when they are asked for: `0:64,0:64,0:64`.

    In front of the extent stands the name of the set where there are several, and that of the array.
    """

    def __init__(self, slices: Sliced) -> None:
        self._slices = slices

    def __len__(self) -> int:
        return len(self._slices)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        slices = self._slices
        cut, number = slices.at(index % len(self))
        parts = [cut.grid.slicer.name] if len(slices.slicers) > 1 else []
        parts += [slices.arrays.names[cut.array]] if len(slices.arrays.names) > 1 else []
        return "/".join([*parts, _text(cut.grid, number)])


def sliced(inputs: Source, targets: Source | None, slicers: Sequence[Slicer]) -> tuple[Sliced, Sliced | None]:
    """The slices of inputs and targets, cut alike.

    Raises:
        ConfigError: What is to be cut is no array.
        DataError: As `Sliced` says.
    """
    if not isinstance(inputs, Arrays):
        raise ConfigError(Problem("data.slicers", f"cut arrays (numpy, hdf5, zarr, nifti), not {inputs.kind}"))
    if targets is not None and not isinstance(targets, Arrays):
        message = f"cut inputs and targets alike, but {targets.kind} cannot be cut; take targets that are arrays"
        raise ConfigError(Problem("data.slicers", message))
    cut = Sliced(inputs, slicers)
    for line in cut.lines():
        _log.info(line)
    return cut, Sliced(targets, slicers, cut) if targets is not None else None


def _named(slicers: Sequence[Slicer]) -> list[Slicer]:
    """The slicers with a name each."""
    named = [
        made if made.name else replace(made, name=f"slice_set_{number}") for number, made in enumerate(slicers, start=1)
    ]
    names = [made.name for made in named]
    if len(set(names)) < len(names):
        raise ConfigError(Problem("data.slicers", f"have names of their own each, got {names}"))
    for key, ranks in (
        ("sizes", {len(made.sizes) for made in named}),
        ("samples", {len(made.sample_extent) for made in named}),
    ):
        if len(ranks) > 1:
            what = "of as many `sizes`" if key == "sizes" else "that leave samples of as many axes"
            raise ConfigError(Problem("data.slicers", f"must all be {what}, got {sorted(ranks)}"))
    return named


def _require_same(inputs: Sliced, targets: Sliced, extents: Sequence[tuple[int, ...]]) -> None:
    """Refuses targets that do not lie on the grid of the inputs."""
    if len(extents) != len(inputs.arrays.names):
        raise DataError(
            f"there are {len(inputs.arrays.names)} input arrays and {len(extents)} target arrays; every input needs one"
        )
    for index, extent in enumerate(extents):
        if extent != inputs.extent(index):
            raise DataError(
                f"{targets.arrays.locate(index)}: has the extent {list(extent)}, but its input "
                f"{inputs.arrays.locate(index)} has {list(inputs.extent(index))}; slices need the same"
            )


def _text(grid: Grid, number: int) -> str:
    return ",".join(f"{part.start}:{part.stop}" for part in grid.window(number))
