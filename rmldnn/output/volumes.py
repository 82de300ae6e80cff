"""Datasets of an HDF5 file as memory maps: written in any order, in part, without HDF5 having to be closed well."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t
from numpy.typing import NDArray

_RESIDENT = 64 * 2**20
"""Bytes of a dataset that are in memory at a time, pages between those that are written included."""
_BLOCK = 16 * 2**20
"""Bytes converted at a time."""


class Volumes:
    """Arrays in a file that is HDF5 all the time, whatever happens: its structure is written once, at the beginning.

    Args:
        path: The file.
        names: Of the datasets; `/` separates groups.
        shapes: Of the datasets, with the channels last.
        dtype: Of the numbers.
        channels: Where the file has the channels; arrays have them last here, as views.
        kept: Whether the file is there already and goes on.

    Raises:
        OSError: The file cannot be made, or there is no room for it.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
        dtype: type[np.floating[Any]],
        channels: Literal["first", "last"],
        *,
        kept: bool = False,
    ) -> None:
        self.path = path
        self._names = names
        self._channels = channels
        stored = [shape if channels == "last" else (shape[-1], *shape[:-1]) for shape in shapes]
        if not kept:
            _create(path, names, stored, dtype)
        with h5py.File(path, "r", locking=False) as file:
            offsets = [file[name].id.get_offset() for name in names]
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._arrays = [
            np.ndarray(shape, dtype, self._map, offset or 0) for shape, offset in zip(stored, offsets, strict=True)
        ]

    def __getitem__(self, place: int) -> NDArray[Any]:
        """The array of a dataset, channels last; writing to it writes the file."""
        array = self._arrays[place]
        return array if self._channels == "last" else np.moveaxis(array, 0, -1)

    def rows(self, place: int) -> int:
        """How many rows along the first axis of a dataset may be in memory at a time."""
        array = self[place]
        return max(1, _RESIDENT // max(1, array.nbytes // max(1, len(array))))

    def relieve(self) -> None:
        """Gives memory back: what was written stays in the file, which the system brings to the disk in its time."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def flush(self) -> None:
        """Brings everything to the disk."""
        self._map.flush()

    def narrow(self) -> None:
        """Makes 16-bit floats of 32-bit ones, in a new file that takes the place of this one.

        Raises:
            OSError: There is no room for it.
        """
        if self._arrays[0].dtype == np.float16:
            return
        partial = self.path.with_name(f"{self.path.name}.half")
        shapes = [array.shape for array in self._arrays]
        last = [shape if self._channels == "last" else (*shape[1:], shape[0]) for shape in shapes]
        try:
            other = Volumes(partial, self._names, last, np.float16, self._channels)
            for wide, half in zip(self._arrays, other._arrays, strict=True):
                source, target = wide.reshape(-1), half.reshape(-1)
                for start in range(0, source.size, _BLOCK):
                    target[start : start + _BLOCK] = source[start : start + _BLOCK]
                    other.relieve()
                    self.relieve()
            other.flush()
            del source, target, half, wide
            other.close()
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the file."""
        self._arrays = []
        self._map.close()


def _create(path: Path, names: Sequence[str], shapes: Sequence[tuple[int, ...]], dtype: type[np.floating[Any]]) -> None:
    """Makes the file with room for everything; places that are never written are zeros."""
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)  # equal numbers make equal files
    links = h5p.create(h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    kind = h5t.IEEE_F16LE if dtype is np.float16 else h5t.IEEE_F32LE
    size = sum(math.prod(shape) for shape in shapes) * np.dtype(dtype).itemsize
    path.unlink(missing_ok=True)
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, size))  # a disk that is full is told now, not by a signal later
            file.truncate(0)
        with h5py.File(path, "w", libver="earliest", locking=False) as file:
            for name, shape in zip(names, shapes, strict=True):
                h5d.create(file.id, name.encode(), kind, h5s.create_simple(shape), plan, links)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
