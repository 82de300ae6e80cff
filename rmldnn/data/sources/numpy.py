"""Arrays in files of NumPy."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path as File
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.arrays import Arrays, Checked, Stored, listed, real
from rmldnn.data.discovery import denied, discover
from rmldnn.data.pairing import pair
from rmldnn.data.rows import opened
from rmldnn.data.source import Side
from rmldnn.errors import DataError

_log = logging.getLogger("rmldnn")

_ARRAY, _ARCHIVE = ".npy", ".npz"
_UNPACKED = 2
"""Compressed arrays that a process keeps unpacked."""
_LOCAL_HEADER = 30
"""Bytes in front of the name of a member of a zip archive."""


class Numpy(Arrays):
    """Arrays of `.npy` and `.npz` files; see `Source`.

    Args:
        side: What was opened.
        start: The folder as configured, with `/` at its end.
        members: For every sample its file below the folder, and its name in the archive; empty for `.npy`.
        faults: What is wrong with files that cannot be opened.
        channel_axis: Where channels are.
    """

    kind = "numpy"

    def __init__(
        self,
        side: Side,
        start: str,
        members: Sequence[tuple[str, str]],
        faults: Mapping[str, str],
        channel_axis: Literal["auto", "first", "last", "none"],
    ) -> None:
        self.start = start
        self.members = members
        self.faults = faults
        self._unpack = lru_cache(maxsize=_UNPACKED)(_unpacked)
        super().__init__(side, [_name(member) for member in members], channel_axis)

    def open(self, index: int) -> Stored:
        """Maps the array of a sample into memory; compressed ones are unpacked when they are read."""
        file, member = self.members[index]
        if file in self.faults:
            raise DataError(self.faults[file])
        path, place = self.start + file, self.locate(index)
        try:
            if not member:
                with File(path).open("rb") as stream:
                    return Checked(_mapped(path, stream, 0, File(path).stat().st_size, place), place)
            with zipfile.ZipFile(path) as archive:
                info = archive.getinfo(f"{member}{_ARRAY}")
                if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                    with archive.open(info) as packed:
                        shape, dtype, _ = _header(packed, place)
                    return Checked(_Packed(self, path, info.filename, place, shape, dtype), place)
            with File(path).open("rb") as stream:
                return Checked(_mapped(path, stream, _start(stream, info), info.file_size, place), place)
        except OSError as error:
            raise DataError(f"{place}: cannot read this array: {denied(error)}") from None
        except (ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
            raise _damaged(place) from None

    def unpack(self, path: str, member: str, place: str) -> NDArray[Any]:
        """The numbers of a compressed array; those used last are kept."""
        return self._unpack(path, member, place)

    def files(self) -> Iterable[str]:
        """Paths of all files; the name of a sample has also its name in the archive."""
        return (self.start + file for file in dict(self.members))


@component("numpy")
def numpy(
    side: Side,
    *,
    channel_axis: Literal["auto", "first", "last", "none"] = "auto",
    samples: Literal["arrays", "rows"] = "arrays",
) -> Arrays | None:
    """Opens the arrays in a file of NumPy, or in all files of a folder with its sub-folders, sorted by path.

    A `.npy` file holds one array, an `.npz` file several, called `file.npz/name`. Numbers are taken as they are. Arrays
    are read by window with slicers, unless they are compressed. Integer targets with as many axes as the inputs have
    in space are class indices. Target arrays are paired with inputs by name.

    Args:
        side: What to open.
        channel_axis: Where the arrays have their channels. `auto`: first, but nowhere in class indices, in targets of
            just the extent of their inputs, and in arrays of which slicers have a size for every axis.
        samples: Whether a sample is one of the `arrays`, or one of their `rows`, where the first axis counts the
            samples. Rows of targets belong to inputs by their position.

    Returns:
        The source; None if no path is configured.

    Raises:
        DataError: The path holds no arrays, or inputs and targets do not match.
    """
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} NumPy samples...")
    return opened(side, samples, lambda wanted: _open(wanted, channel_axis))


def _open(side: Side, channel_axis: Literal["auto", "first", "last", "none"]) -> Numpy:
    start, files = discover(side, {_ARRAY, _ARCHIVE}, "NumPy arrays")
    members, faults = listed(files, lambda file: _members(start + file), skip_bad=side.skip_bad)
    if side.inputs is not None:
        by_name = {_name(member): member for member in members}
        members = [by_name[name] for name in pair(side.inputs.names, sorted(by_name), side.key)]
    return Numpy(side, start, members, faults, channel_axis)


def _name(member: tuple[str, str]) -> str:
    return "/".join(filter(None, member))


def _members(path: str) -> list[str]:
    """Names of the arrays in a file; that of a `.npy` file has none."""
    if not path.lower().endswith(_ARCHIVE):
        return [""]
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(_ARRAY)]
    except OSError as error:
        raise DataError(f"{path}: cannot read this archive: {denied(error)}") from None
    except (ValueError, NotImplementedError, zipfile.BadZipFile):
        raise DataError(
            f"{path}: cannot read this archive: it is damaged, cut short, or was not written by `numpy.savez`; repair "
            "or remove it"
        ) from None
    if not names:
        raise DataError(f"{path}: this archive holds no arrays; remove it")
    return sorted({name.removesuffix(_ARRAY) for name in names})


def _header(stream: IO[bytes], place: str) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type and whether the first axis runs fastest, as the beginning of an array says.

    Raises:
        DataError: This is no array of plain numbers.
        ValueError: It cannot be understood.
    """
    start = stream.read(np.lib.format.MAGIC_LEN)
    if not start:
        raise DataError(f"{place}: cannot read this array: the file is empty; repair or remove it")
    if start[:1] == b"\x80":  # what a pickle begins with
        real(np.dtype(object), place)
    version = np.lib.format.read_magic(io.BytesIO(start))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    real(dtype, place)
    return shape, dtype, fortran


def _mapped(path: str, stream: IO[bytes], start: int, size: int, place: str) -> NDArray[Any]:
    """The array that begins at `start` of a file and takes `size` bytes, with its header."""
    stream.seek(start)
    shape, dtype, fortran = _header(stream, place)
    offset = stream.tell()
    if offset - start + int(np.prod(shape, dtype=object)) * dtype.itemsize > size:
        raise DataError(f"{place}: cannot read this array: the file is cut short; repair or remove it")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def _start(stream: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where in an archive the bytes of a member begin that is not compressed."""
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL_HEADER)
    if not header.startswith(b"PK\3\4"):
        raise zipfile.BadZipFile
    lengths = [int.from_bytes(header[at : at + 2], "little") for at in (26, 28)]  # of the name, and of what follows it
    return info.header_offset + _LOCAL_HEADER + sum(lengths)


class _Packed:
    """A compressed member of an archive, which can only be read whole; see `Stored`."""

    def __init__(
        self, source: Numpy, path: str, member: str, place: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._source = source
        self._where = path, member, place

    def __getitem__(self, window: Any) -> Any:
        return self._source.unpack(*self._where)[window]


def _unpacked(path: str, member: str, place: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, NotImplementedError):
        raise _damaged(place) from None
    return array


def _damaged(place: str) -> DataError:
    return DataError(
        f"{place}: cannot read this array: it is damaged, cut short, or was not written by NumPy; repair or remove it"
    )
