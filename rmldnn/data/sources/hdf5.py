"""Datasets in HDF5 files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path as File
from typing import Any, Literal

import h5py
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.arrays import OPEN, Arrays, Checked, Stored, Window, listed
from rmldnn.data.discovery import denied, discover
from rmldnn.data.pairing import pair
from rmldnn.data.rows import opened
from rmldnn.data.source import Side
from rmldnn.errors import DataError
from rmldnn.types import Path

_log = logging.getLogger("rmldnn")

_SUFFIXES = frozenset({".h5", ".hdf5", ".he5", ".hdf", ".nc"})
_HDF5 = b"\x89HDF"
_STARTS = {
    b"": "the file is empty; repair or remove it",
    b"CDF\1": "it is a NetCDF file of the classic format; convert it: nccopy -k nc4 IN OUT",
    b"CDF\2": "it is a NetCDF file of the classic format; convert it: nccopy -k nc4 IN OUT",
    b"CDF\5": "it is a NetCDF file of the classic format; convert it: nccopy -k nc4 IN OUT",
    b"\x0e\x03\x13\x01": "it is an HDF4 file; convert it: h4toh5 IN OUT",
    _HDF5: "the HDF5 file is damaged or cut short; repair or remove it",
}
"""What the first four bytes of a file that HDF5 cannot open say about the cause."""
_CACHE = 2**27
"""Bytes of unpacked chunks that a process keeps, shared among the datasets that it has open."""
_TEXTS = "OSUV"
"""Kinds of types that stand beside the samples: texts, references; records are told when they are read."""
_DEEPEST = 16
"""Links that are followed one after the other."""


_extent = lru_cache(h5py.h5s.create_simple)
"""An extent as HDF5 has it; to make one takes a while."""


class _Dataset(Checked):
    """A dataset of a file; see `Checked`."""

    def __init__(self, dataset: h5py.Dataset, place: str, keeps: h5py.File) -> None:
        super().__init__(dataset, place, keeps)
        self._dtype = dataset.dtype
        self._type = h5py.h5t.py_create(dataset.dtype)
        self._space = dataset.id.get_space()

    def read(self, window: Window, room: NDArray[Any]) -> None:
        """Reads numbers of the type of the array right into it."""
        if room.dtype != self._dtype or room.dtype.kind not in "iuf" or not room.flags.c_contiguous:
            super().read(window, room)
            return
        with self._told():
            self._space.select_hyperslab(tuple(part.start or 0 for part in window), room.shape)
            self._array.id.read(_extent(room.shape), self._space, room, self._type)


class Hdf5(Arrays):
    """Datasets of HDF5 files; see `Source`.

    Args:
        side: What was opened.
        start: The folder as configured, with `/` at its end.
        members: For every sample its file below the folder, and the dataset in it.
        names: Names of the samples.
        faults: What is wrong with files that cannot be opened.
        channel_axis: Where channels are.
    """

    kind = "hdf5"

    def __init__(
        self,
        side: Side,
        start: str,
        members: Sequence[tuple[str, str]],
        names: Sequence[str],
        faults: Mapping[str, str],
        channel_axis: Literal["auto", "first", "last", "none"],
    ) -> None:
        self.start = start
        self.members = members
        self.faults = faults
        super().__init__(side, names, channel_axis)

    def open(self, index: int) -> Stored:
        """Opens the dataset of a sample."""
        path, place = self._path(index), self.locate(index)
        if fault := self.faults.get(self.members[index][0]):
            raise DataError(fault)
        file = _file(path, _CACHE // min(len(self.members), OPEN))
        found = _inside(file, self.members[index][1], path)
        if not isinstance(found, h5py.Dataset):
            known = list(islice(_datasets(file, path, set()), 10))
            raise DataError(
                f"{place}: there is no such dataset; the file has {', '.join(known) or 'none'}; correct `data.dataset`"
            )
        return _Dataset(_own(found, place), place, file)

    def locate(self, index: int) -> str:
        """The path of the file, and that of the dataset in it."""
        return f"{self._path(index)}/{self.members[index][1]}"

    def files(self) -> Iterable[str]:
        """Paths of all files."""
        return (self.start + file for file in dict(self.members))

    def facts(self) -> Any:
        """The datasets, and where their channels are."""
        return self.members, self.channels

    def _path(self, index: int) -> str:
        return self.start + self.members[index][0]


@component("hdf5")
def hdf5(
    side: Side,
    *,
    dataset: Path | None = None,
    channel_axis: Literal["auto", "first", "last", "none"] = "auto",
    samples: Literal["arrays", "rows"] = "arrays",
) -> Arrays | None:
    """Opens the datasets in an HDF5 file, or in all files of a folder with its sub-folders, sorted by path.

    Every dataset of numbers is a sample, called by its path in the file, behind the name of the file if there are
    several: `file.h5/group/dataset`. Numbers are taken as they are, and read by window with slicers. Integer targets
    with as many axes as the inputs have in space are class indices. Targets are paired with inputs by name. Links to
    other files are refused, for a stranger's file could show any file of yours by them.

    Args:
        side: What to open.
        dataset: The one dataset of every file that is wanted, by its path in the file; samples are called by their
            files then. All datasets by default.
        channel_axis: Where the arrays have their channels. `auto`: first, but nowhere in class indices, in targets of
            just the extent of their inputs, and in arrays of which slicers have a size for every axis.
        samples: Whether a sample is one of the datasets (`arrays`), or one of their `rows`, where the first axis counts
            the samples. Rows of targets belong to inputs by their position.

    Returns:
        The source; None if no path is configured.

    Raises:
        DataError: The path holds no datasets, or inputs and targets do not match.
    """
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} HDF5 samples...")
    return opened(side, samples, lambda wanted: _open(wanted, dataset, channel_axis))


def _open(side: Side, dataset: str | None, channel_axis: Literal["auto", "first", "last", "none"]) -> Hdf5:
    start, files = discover(side, _SUFFIXES, "HDF5 data")
    faults: Mapping[str, str] = {}
    if dataset is not None:
        members = {file: (file, dataset.strip("/")) for file in files}
    else:
        found, faults = listed(files, lambda file: _names(start + file), skip_bad=side.skip_bad)
        members = {name if len(files) == 1 else f"{file}/{name}": (file, name) for file, name in found}
    names = sorted(members)
    if side.inputs is not None:
        names = pair(side.inputs.names, names, side.key)
    return Hdf5(side, start, [members[name] for name in names], names, faults, channel_axis)


def _file(path: str, cache: int = 0) -> h5py.File:
    """Opens a file to read it.

    Args:
        path: The file.
        cache: Bytes of unpacked chunks to keep; 0 for what HDF5 thinks right.
    """
    keys = {"rdcc_nbytes": cache, "rdcc_nslots": 10007} if cache else {}
    try:
        with File(path).open("rb") as stream:
            start = stream.read(4)
        return h5py.File(path, "r", **keys)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, OSError) and error.strerror and not isinstance(error, BlockingIOError):
            raise DataError(f"{path}: cannot read this file: {denied(error)}") from None
        cause = _STARTS.get(start, "it is no HDF5 file; repair or remove it")
        raise DataError(f"{path}: cannot read this file: {cause}") from None


def _names(path: str) -> list[str]:
    """Paths of all datasets in a file."""
    with _file(path) as file:
        try:
            names = sorted(_datasets(file, path, set()))
        except (OSError, RuntimeError, KeyError, TypeError):
            raise DataError(f"{path}: cannot read this file: {_STARTS[_HDF5]}") from None
    if not names:
        raise DataError(f"{path}: this file holds no dataset of numbers; remove it")
    return names


def _datasets(group: h5py.Group, path: str, seen: set[int]) -> Iterator[str]:
    """Paths of the datasets of numbers below a group, each once; coordinates of NetCDF and soft links are left out.

    Raises:
        DataError: There is a link to another file.
    """
    seen.add(_address(group))
    for name in group:
        here = f"{group.name}/{name}".lstrip("/")
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _foreign(f"{path}/{here}", link.filename)
        if not isinstance(link, h5py.HardLink):
            continue
        item = group[name]
        if _address(item) in seen:
            continue
        if isinstance(item, h5py.Group):
            yield from _datasets(item, path, seen)
        elif isinstance(item, h5py.Dataset) and _is_sample(item):
            seen.add(_address(item))
            yield here


def _is_sample(dataset: h5py.Dataset) -> bool:
    """Whether a dataset is a sample, or should be one: numbers in other files are told when they are read."""
    if dataset.external or dataset.is_virtual:
        return True
    texts = dataset.dtype.kind in _TEXTS and dataset.dtype.names is None
    return dataset.shape is not None and not texts and not h5py.h5ds.is_scale(dataset.id)


def _address(item: h5py.HLObject) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _inside(file: h5py.File, name: str, path: str) -> Any:
    """What a file has under a name, None if nothing; names are followed step by step, so that none leads out of it.

    Raises:
        DataError: There is a link to another file.
    """
    item: Any = file
    rest = [part for part in name.split("/") if part]
    steps = 0
    while rest:
        part = rest.pop(0)
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise _foreign(f"{path}/{name}", link.filename)
        if isinstance(link, h5py.SoftLink) and steps < _DEEPEST:
            steps += 1
            rest = [*filter(None, link.path.split("/")), *rest]
            item = file if link.path.startswith("/") else item
        elif isinstance(link, h5py.HardLink):
            item = item[part]
        else:
            return None
    return item


def _own(dataset: h5py.Dataset, place: str) -> h5py.Dataset:
    """A dataset whose numbers are all in its file.

    Raises:
        DataError: They are elsewhere, are no numbers, or are packed in a way that is unknown here.
    """
    if dataset.external:
        raise _foreign(place, str(dataset.external[0][0]))
    if dataset.is_virtual:
        raise _foreign(place, next((source.file_name for source in dataset.virtual_sources()), ""))
    if dataset.shape is None:
        raise DataError(f"{place}: holds no numbers; remove it")
    if dataset.dtype.kind == "O":
        raise DataError(f"{place}: holds texts, references or lists of varying length; save an array of numbers")
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(number) for number in range(plan.get_nfilters())]
    for code, _, _, name in filters:
        if not h5py.h5z.filter_avail(code):
            raise DataError(
                f"{place}: is packed by the filter {code} ({name.decode(errors='replace') or 'without a name'}), which "
                "HDF5 does not have here; install its plugin (`pip install hdf5plugin` has many), or write it with gzip"
            )
    return dataset


def _foreign(place: str, other: str) -> DataError:
    return DataError(
        f"{place}: its numbers lie in another file, `{other}`, and a stranger's file could show any file of yours so; "
        "copy the numbers into this one"
    )
