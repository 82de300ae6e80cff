"""Samples that are arrays in files: read whole, or by window where a file is larger than memory."""

from __future__ import annotations

import mmap
import os
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmldnn.data import memory
from rmldnn.data.files import Files
from rmldnn.data.holding import hold
from rmldnn.data.source import Indices, Meaning, Samples, Side, Source
from rmldnn.errors import DataError

ChannelAxis: TypeAlias = Literal["first", "last", "none"]
Window: TypeAlias = tuple[slice, ...]

OPEN = 16
"""Arrays that a process keeps open."""

_MAPPED = 2**28
"""Bytes of a memory map that may stay in memory once they were read."""
_SEEN = 2**24
"""Bytes read of a larger one until it is given back; windows touch many times as much."""
_IMAGE_AXES = 2
_VECTORS = 2
"""Axes of a batch of samples that have channels only."""
_FEW = 10
"""Faulty files that a message lists."""


class Stored(Protocol):
    """An array in a file, of which only what is asked for is read: an HDF5 dataset, a memory map, a Zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents as stored, the channel axis wherever it is."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""
        ...

    def __getitem__(self, window: Any) -> Any:
        """The numbers in a window, one slice for each axis, or all of them for `...`."""
        ...


class Checked:
    """An array of plain numbers whose faults are told in our words; see `Stored`.

    Numbers come in the byte order of this machine, and as memory that outlives the file.

    Args:
        array: What a library opened.
        place: How messages call it.
        keeps: What must stay open as long as the array is in use.

    Raises:
        DataError: It holds something else than real numbers, or nothing.
    """

    def __init__(self, array: Any, place: str, keeps: Any = None) -> None:
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype = real(np.dtype(array.dtype), place)
        if 0 in self.shape:
            raise DataError(f"{place}: holds no numbers, its shape is {self.shape}; remove it")
        self._array = array
        self._place = place
        self._keeps = keeps
        large = isinstance(array, np.memmap) and array.nbytes > _MAPPED
        self._map = array._mmap if large else None
        self._seen = 0

    def __getitem__(self, window: Any) -> NDArray[Any]:
        with self._told():
            found = self._array[window]
        result: NDArray[Any] = np.asarray(found).astype(self.dtype, copy=isinstance(found, np.memmap))
        self._seen += result.nbytes
        return result

    def read(self, window: Window, room: NDArray[Any]) -> None:
        """Reads a window into an array of its shape; without a copy between, where a library can do that."""
        room[...] = self[window]

    def relieve(self) -> None:
        """Gives back what was read of a large memory map: the system has it still, but no longer counts it as ours."""
        if self._map is not None and self._seen > _SEEN:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._seen = 0

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tells faults of a library in our words."""
        try:
            yield
        except MemoryError:
            raise DataError(
                f"{self._place}: has shape {self.shape}, which does not fit into memory; cut it by `slicers`"
            ) from None
        except (OSError, EOFError, ValueError, RuntimeError, KeyError, zlib.error):
            raise DataError(
                f"{self._place}: cannot read this array: the file is damaged or cut short; repair or remove it"
            ) from None


def real(dtype: np.dtype[Any], place: str) -> np.dtype[Any]:
    """The type in which numbers of a stored type are read: that of this machine, floats of at most 64 bits.

    Raises:
        DataError: These are no real numbers.
    """
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= np.dtype(np.float64).itemsize):
        return dtype.newbyteorder("=")
    if dtype.kind == "f":
        return np.dtype(np.float32)
    remedies = {
        "c": "complex numbers; save real and imaginary parts as two channels",
        "O": "Python objects, and unpacking them could run a stranger's code; save it as an array of plain numbers",
        "S": "texts; save numbers",
        "U": "texts; save numbers",
        "M": "dates; save numbers",
        "m": "durations; save numbers",
    }
    unknown = f"records of type {dtype}; save every field as an array of its own"
    raise DataError(f"{place}: holds {remedies.get(dtype.kind, unknown)}")


class Arrays(Files):
    """Samples that are arrays; whoever inherits says how to open one.

    Args:
        side: What was opened.
        names: Names of the samples.
        channel_axis: Where channels are, as the user says it; `auto` for the rules of `channels_at`.

    Raises:
        DataError: None of the arrays can be opened.
    """

    noun = "samples"

    def __init__(
        self, side: Side, names: Sequence[str], channel_axis: Literal["auto", "first", "last", "none"]
    ) -> None:
        self.names = names
        self.channel_axis = channel_axis
        self.side = side
        self._kept: Callable[[int, int], Stored] = lru_cache(maxsize=OPEN)(lambda _, index: self.open(index))
        self.example = self._first_readable()
        """The first sample that can be opened; it stands for all."""
        self.channels: ChannelAxis = self.channels_at(None)
        """Where the channels of unsliced samples are."""
        self.meaning: Meaning = meaning_of(self.stored(self.example), side, self.channels)

    @abstractmethod
    def open(self, index: int) -> Stored:
        """Opens a sample.

        Raises:
            DataError: There is no array that could be read.
        """

    def doubt(self, index: int) -> str:  # noqa: ARG002 - for those who inherit
        """What may be wrong with an array that can be read; empty by default."""
        return ""

    def stored(self, index: int) -> Stored:
        """A sample, opened: this costs little, and nothing the second time; each process opens its own.

        Raises:
            DataError: There is no array that could be read.
        """
        return self._kept(os.getpid(), index)

    def channels_at(self, dimensions: int | None) -> ChannelAxis:
        """Where the channels of the arrays are.

        What the user says; else with slicers for so many `dimensions`: none if the arrays have as many axes, else
        where `usual_channels` are.

        Raises:
            DataError: The arrays have too many axes or too few for the slicers.
        """
        stored = self.stored(self.example)
        rank = len(stored.shape)
        if dimensions is not None:
            known = {"auto": (0, 1), "none": (0,)}.get(self.channel_axis, (1,))
            if rank - dimensions not in known:
                raise DataError(
                    f"{self.locate(self.example)}: has shape {stored.shape}, but the slicers have {dimensions} sizes; "
                    "give one for each axis of the array, less the channels (`channel_axis`)"
                )
            if rank == dimensions:
                return "none"
        if rank == 0:
            return "none"
        return self.usual_channels(stored) if self.channel_axis == "auto" else self.channel_axis

    def usual_channels(self, stored: Stored) -> ChannelAxis:
        """Where channels are if nobody says it.

        Nowhere in targets that lie on the inputs' grid: integers with as many axes as the inputs have in space, floats
        of the very extent that the inputs have there. First otherwise.
        """
        if self.side.role == "target":
            space, rank = axes_in_space(self.side.inputs), len(stored.shape)
            if rank == space and (_whole(stored) or _same_extent(stored, self.side.inputs)):
                return "none"
        return "first"

    def facts(self) -> Any:
        """Where the channels are."""
        return self.channels

    def take(self, indices: Indices) -> Samples:
        """Reads whole samples, channels last."""
        arrays = []
        for index in indices.tolist():
            hold(index)
            arrays.append(self.stored(index)[...])
        relieve(map(self.stored, indices.tolist()))
        return stacked(arrays, self.channels)

    def _first_readable(self) -> int:
        first: DataError | None = None
        for index in range(len(self.names)):
            try:
                self.stored(index)
            except DataError as error:
                first = first or error
            else:
                return index
        assert first is not None  # noqa: S101 - no source is empty
        raise first


def relieve(stored: Iterable[Stored]) -> None:
    """Gives back memory; see `Checked.relieve`."""
    for one in stored:
        if isinstance(one, Checked):
            one.relieve()


def axes_in_space(inputs: Source | None) -> int | None:
    """The number of axes of inputs besides their channels; None if that is unknown."""
    if isinstance(inputs, Arrays):
        return len(inputs.stored(inputs.example).shape) - (inputs.channels != "none")
    return _IMAGE_AXES if inputs is not None and inputs.meaning == "pixels" else None


def _same_extent(stored: Stored, inputs: Source | None) -> bool:
    """Whether an array is of the extent of the inputs, which are arrays too; a line of numbers may be anything."""
    if not isinstance(inputs, Arrays) or len(stored.shape) < _IMAGE_AXES:
        return False
    extent = inputs.stored(inputs.example).shape
    return stored.shape == {"first": extent[1:], "last": extent[:-1], "none": extent}[inputs.channels]


def meaning_of(stored: Stored, side: Side, channels: ChannelAxis) -> Meaning:
    """Integers without channels are classes where they are targets."""
    return "classes" if side.role == "target" and _whole(stored) and channels == "none" else "values"


def channels_last(array: NDArray[Any], channels: ChannelAxis) -> NDArray[Any]:
    """A view (*spatial, C) of an array; 64-bit floats become 32-bit ones."""
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if channels == "none":
        return array[..., None]
    return np.moveaxis(array, 0, -1) if channels == "first" and array.ndim > 1 else array


def stacked(arrays: Sequence[NDArray[Any]], channels: ChannelAxis) -> Samples:
    """Samples (n, *spatial, C) as a view of one array with the axes as stored, or a list of them where they differ.

    Nothing is put in another order: the batch wants channels first again.
    """
    first = arrays[0]
    if any(array.shape != first.shape or array.dtype != first.dtype for array in arrays):
        return [channels_last(array, channels) for array in arrays]
    alone = len(arrays) == 1 and first.flags.owndata  # the caller may change what it gets
    dtype = np.float32 if first.dtype == np.float64 else first.dtype
    if alone:
        return batch_last(first[None], channels)
    batch = memory.empty((len(arrays), *first.shape), dtype)
    return batch_last(np.stack(arrays, out=batch, casting="same_kind"), channels)


def batch_last(batch: NDArray[Any], channels: ChannelAxis) -> NDArray[Any]:
    """A view (n, *spatial, C) of samples; 64-bit floats become 32-bit ones."""
    if batch.dtype == np.float64:
        batch = batch.astype(np.float32)
    if channels == "none":
        return batch[..., None]
    return np.moveaxis(batch, 1, -1) if channels == "first" and batch.ndim > _VECTORS else batch


def listed(
    files: Sequence[str], members: Callable[[str], Sequence[str]], *, skip_bad: bool = False
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Every file with every array that it holds.

    Args:
        files: What to open.
        members: Names of the arrays in one of them.
        skip_bad: Whether a file that cannot be opened counts as one that holds what all others hold, if these agree.

    Returns:
        Files with their arrays, and what is wrong with those files that cannot be opened.

    Raises:
        DataError: Some files cannot be opened; tells of each.
    """
    found: dict[str, Sequence[str]] = {}
    faults: dict[str, str] = {}
    for file in files:
        try:
            found[file] = members(file)
        except DataError as error:
            faults[file] = str(error)
    kinds = {tuple(names) for names in found.values()}
    if faults and not (skip_bad and len(kinds) == 1):
        raise together(list(faults.values()))
    held = next(iter(kinds)) if faults else ()
    return [(file, name) for file in files for name in found.get(file, held)], faults


def together(faults: Sequence[str]) -> DataError:
    """One error that tells of several files."""
    more = [f"and {len(faults) - _FEW} more files"] if len(faults) > _FEW else []
    return DataError("\n".join([*faults[:_FEW], *more]))


def _whole(stored: Stored) -> bool:
    return np.dtype(stored.dtype).kind in "biu"
