"""Medical volumes in NIfTI files."""

from __future__ import annotations

import importlib.util
import logging
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path as File
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.arrays import Arrays, ChannelAxis, Checked, Stored, meaning_of
from rmldnn.data.discovery import denied, discover
from rmldnn.data.pairing import pair
from rmldnn.data.source import Meaning, Side
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_ENDS = (".nii", ".nii.gz", ".hdr")
_IMAGES = (".img", ".IMG", ".img.gz")
"""What the other file of a pair may end in."""
_SPACE = 3
"""Axes of a volume; one more is that of the channels."""
_UNPACKED = 2
"""Compressed volumes that a process keeps unpacked."""
_FEW = 256
"""Whole numbers in a mask of floats are at most so many classes."""


class Nifti(Arrays):
    """The volumes of one folder; see `Source`.

    Args:
        side: What was opened.
        start: The folder as configured, with `/` at its end.
        names: Paths below it, with `/`.
        channel_axis: Where channels are.
    """

    kind = "nifti"

    def __init__(
        self, side: Side, start: str, names: Sequence[str], channel_axis: Literal["auto", "first", "last", "none"]
    ) -> None:
        self.start = start
        self._classes = False
        self._unpack = lru_cache(maxsize=_UNPACKED)(_numbers)
        super().__init__(side, names, channel_axis)
        if side.role == "target" and self.channels == "none" and self._holds_classes(self.example):
            self._classes = True
            self.meaning: Meaning = "classes"

    def open(self, index: int) -> Stored:
        """Opens a volume; compressed ones are unpacked when they are read."""
        return Checked(_Volume(self, self.locate(index)), self.locate(index))

    def stored(self, index: int) -> Stored:
        """A volume, opened; see `Arrays.stored`. Masks of floats come as integers."""
        stored = super().stored(index)
        return _Mask(stored, self.locate(index)) if self._classes else stored

    def unpack(self, path: str) -> NDArray[Any]:
        """The numbers of a compressed volume; those used last are kept."""
        return self._unpack(path)

    def usual_channels(self, stored: Stored) -> ChannelAxis:
        """Behind three axes in space."""
        return "last" if len(stored.shape) > _SPACE else "none"

    def files(self) -> Iterator[str]:
        """Paths of all files, both of a pair."""
        for index in range(len(self.names)):
            path = self.locate(index)
            yield path
            if path.lower().endswith(".hdr"):
                yield from (f"{path[:-4]}{end}" for end in _IMAGES if File(f"{path[:-4]}{end}").exists())

    def _holds_classes(self, index: int) -> bool:
        """Whether floats are whole numbers, and few: programs for medical images write masks so."""
        stored = super().stored(index)
        if meaning_of(stored, self.side, "none") == "classes":
            return False
        found = np.unique(stored[...])
        return len(found) <= _FEW and bool((found >= 0).all() and (found == np.rint(found)).all())


@component("nifti")
def nifti(side: Side, *, channel_axis: Literal["auto", "first", "last", "none"] = "auto") -> Nifti | None:
    """Opens NIfTI volumes (`.nii`, `.nii.gz`, pairs of `.hdr` and `.img`): a file, or all in a folder and below it.

    Numbers are those that the file means, with its slope and intercept applied. Masks, that is targets of whole numbers
    without channels, are class indices, even where a program wrote them as floats. Targets are paired with inputs by
    name. Volumes are read by window with slicers, unless they are compressed. Needs the package nibabel.

    Args:
        side: What to open.
        channel_axis: Where the volumes have their channels. `auto`: last if there are four axes, else nowhere.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: The package nibabel is missing.
        DataError: The path holds no volumes, or inputs and targets do not match.
    """
    if side.path is None:
        return None
    if importlib.util.find_spec("nibabel") is None:
        raise ConfigError(
            Problem("data.type", "`nifti` needs the package `nibabel`; install it by: pip install 'rmldnn[medical]'")
        )
    _log.info(f"Discovering {side.words} {side.role} NIfTI samples...")
    start, found = discover(side, {".nii", ".gz", ".hdr"}, "NIfTI volumes")
    names = [name for name in found if name.lower().endswith(_ENDS)]
    if not names:
        raise DataError(f"data.{side.key}: no NIfTI volumes in `{side.path}`; their names end in {', '.join(_ENDS)}")
    if side.inputs is not None:
        names = pair(side.inputs.names, names, side.key)
    return Nifti(side, start, names, channel_axis)


class _Volume:
    """A volume, of which windows are read where the file allows it; see `Stored`."""

    def __init__(self, source: Nifti, path: str) -> None:
        self._source = source
        self._path = path
        self._file = _opened(path)
        self.shape: tuple[int, ...] = tuple(self._file.shape)
        stored = self._file.dataobj.dtype
        scaled = stored.kind in "biuf" and (self._file.dataobj.slope, self._file.dataobj.inter) != (1, 0)
        self.dtype = np.dtype(np.float32) if scaled else stored

    def __getitem__(self, window: Any) -> Any:
        if self._path.lower().endswith(".gz"):
            return self._source.unpack(self._path)[window]
        return np.asarray(self._file.dataobj[window])


class _Mask:
    """A mask of floats as integers; see `Stored`."""

    dtype = np.dtype(np.int32)

    def __init__(self, stored: Stored, place: str) -> None:
        self.shape = tuple(stored.shape)
        self._stored = stored
        self._place = place

    def __getitem__(self, window: Any) -> NDArray[Any]:
        found = self._stored[window]
        indices: NDArray[Any] = found.astype(self.dtype)
        if (indices != found).any():
            raise DataError(f"{self._place}: holds numbers that are not whole, so it is no mask as others of this set")
        return indices


def _opened(path: str) -> Any:
    """A file whose header was read."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        file = nibabel.load(path)
        File(file.file_map["image"].filename).stat()
    except FileNotFoundError:
        raise DataError(
            f"{path}: cannot read this volume: there is no such file, or none of its pair; put the missing one back"
        ) from None
    except OSError as error:
        cause = denied(error) if error.strerror else "it is damaged or cut short; repair or remove it"
        raise DataError(f"{path}: cannot read this volume: {cause}") from None
    except EOFError:
        raise DataError(f"{path}: cannot read this volume: it is cut short; repair or remove it") from None
    except (ValueError, zlib.error, ImageFileError, HeaderDataError):
        raise DataError(
            f"{path}: cannot read this volume: it is empty, damaged, or not of NIfTI; repair or remove it"
        ) from None
    return file


def _numbers(path: str) -> NDArray[Any]:
    return np.asarray(_opened(path).dataobj[...])
