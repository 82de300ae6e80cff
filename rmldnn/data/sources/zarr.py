"""Arrays in Zarr stores."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path as File
from typing import Any, Literal

import numpy as np

from rmldnn.component import component
from rmldnn.data.arrays import Arrays, Checked, Stored
from rmldnn.data.pairing import pair
from rmldnn.data.rows import opened
from rmldnn.data.source import Side
from rmldnn.disk import absent
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.types import Path

_log = logging.getLogger("rmldnn")

_VERSION_2, _VERSION_3 = ".zarray", "zarr.json"
"""The file that says what the array in its folder is, in version 2 and 3 of the format."""
_NO_CHUNKS = (_VERSION_2, _VERSION_3, ".zattrs", ".zmetadata", ".zgroup")


class Zarr(Arrays):
    """Arrays below one folder; see `Source`.

    Args:
        side: What was opened.
        folders: The folder of every array.
        names: Names of the samples.
        channel_axis: Where channels are.
    """

    kind = "zarr"

    def __init__(
        self,
        side: Side,
        folders: Sequence[str],
        names: Sequence[str],
        channel_axis: Literal["auto", "first", "last", "none"],
    ) -> None:
        self.folders = folders
        super().__init__(side, names, channel_axis)

    def open(self, index: int) -> Stored:
        """Opens the array of a sample."""
        import zarr

        place = self.locate(index)
        _require_harmless(place)
        try:
            return Checked(zarr.open_array(place, mode="r"), place)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            raise DataError(
                f"{place}: cannot read this array: its description is damaged, or needs a codec that is not installed; "
                "repair or remove it"
            ) from None

    def doubt(self, index: int) -> str:
        """That chunks are missing, as in a copy that was broken off; they count as filled with one number."""
        import zarr

        place = self.locate(index)
        try:
            self.stored(index)
        except DataError:
            return ""  # told when it is read
        array = zarr.open_array(place, mode="r")
        parts = getattr(array, "shards", None) or array.chunks
        wanted = math.prod(-(-extent // part) for extent, part in zip(array.shape, parts, strict=True))
        missing = wanted - sum(name not in _NO_CHUNKS for _, _, files in os.walk(place) for name in files)
        if missing <= 0:
            return ""
        return (
            f"{place}: {missing:,} of {wanted:,} chunks are not there and read as {array.fill_value}; this is right "
            "where nothing was written, but if the copy is not complete, copy it again"
        )

    def locate(self, index: int) -> str:
        """The folder of the array."""
        return self.folders[index]

    def files(self) -> Iterator[str]:
        """Paths of all files: chunks, and what describes them."""
        for folder in self.folders:
            for where, folders, names in os.walk(folder):
                folders.sort()
                yield from (os.path.join(where, name) for name in sorted(names))  # noqa: PTH118 - there are many

    def encoded_bytes(self, limit: int) -> int:
        """Bytes of the numbers, unpacked."""
        total = 0
        for index in range(len(self.folders)):
            if total > limit:
                break
            try:
                stored = self.stored(index)
            except DataError:
                continue  # told when it is read
            total += int(np.prod(stored.shape, dtype=object)) * np.dtype(stored.dtype).itemsize
        return total


@component("zarr")
def zarr(
    side: Side,
    *,
    dataset: Path | None = None,
    channel_axis: Literal["auto", "first", "last", "none"] = "auto",
    samples: Literal["arrays", "rows"] = "arrays",
) -> Arrays | None:
    """Opens the arrays of a Zarr store (version 2 or 3), or of all stores in a folder with its sub-folders.

    Every array is a sample, called by its path. Numbers are taken as they are, and read by window with slicers. Integer
    targets with as many axes as the inputs have in space are class indices. Targets are paired with inputs by name.
    Needs the package zarr.

    Args:
        side: What to open.
        dataset: Only the arrays of this name, such as `0` for the finest level of OME-Zarr; samples are called by the
            folders that these lie in. All arrays by default.
        channel_axis: Where the arrays have their channels. `auto`: first, but nowhere in class indices, in targets of
            just the extent of their inputs, and in arrays of which slicers have a size for every axis.
        samples: Whether a sample is one of the `arrays`, or one of their `rows`, where the first axis counts the
            samples. Rows of targets belong to inputs by their position.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: The package zarr is missing.
        DataError: The path holds no arrays, or inputs and targets do not match.
    """
    if side.path is None:
        return None
    if importlib.util.find_spec("zarr") is None:
        raise ConfigError(
            Problem("data.type", "`zarr` needs the package `zarr`; install it by: pip install 'rmldnn[zarr]'")
        )
    _log.info(f"Discovering {side.words} {side.role} Zarr samples...")
    return opened(side, samples, lambda wanted: _open(wanted, dataset, channel_axis))


def _open(side: Side, dataset: str | None, channel_axis: Literal["auto", "first", "last", "none"]) -> Zarr:
    root = side.path or ""
    if File(root).is_file():
        raise DataError(f"data.{side.key}: `{root}` is a file; a Zarr store is a folder")
    if not File(root).exists():
        raise DataError(f"data.{side.key}: {absent(root)}")
    folders = {_name(root, folder): folder for folder in _arrays(root, side.key)}
    wanted = dataset and dataset.strip("/")
    if wanted:
        folders = {
            name.removesuffix(wanted).rstrip("/") or _name(root, root): folder
            for name, folder in folders.items()
            if f"/{name}".endswith(f"/{wanted}")
        }
    if not folders:
        raise DataError(
            f"data.{side.key}: no Zarr array{f' `{wanted}`' if wanted else ''} in `{root}` or below; an array is a "
            f"folder with a file `{_VERSION_2}` or `{_VERSION_3}`"
        )
    names = sorted(folders)
    if side.inputs is not None:
        names = pair(side.inputs.names, names, side.key)
    return Zarr(side, [folders[name] for name in names], names, channel_axis)


def _name(root: str, folder: str) -> str:
    """The path of an array below the root; a root that is an array is called by its folder."""
    return os.path.relpath(folder, root) if folder != root else File(root).resolve().name


def _arrays(folder: str, key: str) -> list[str]:
    """Folders of all arrays at or below a folder; what lies in an array are its chunks."""
    if _description(folder) is not None:
        return [folder]
    try:
        with os.scandir(folder) as entries:
            below = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"data.{key}: cannot list `{folder}`: {error.strerror}") from None
    return [found for path in below if not File(path).is_symlink() for found in _arrays(path, key)]


def _description(folder: str) -> str | None:
    """The file that says what the array in a folder is; None if it is no array."""
    if File(folder, _VERSION_2).is_file():
        return _VERSION_2
    file = File(folder, _VERSION_3)
    if file.is_file():
        try:
            return None if json.loads(file.read_bytes()).get("node_type") == "group" else _VERSION_3
        except (ValueError, AttributeError):
            return _VERSION_3  # told when it is opened
    return None


def _require_harmless(folder: str) -> None:
    """Refuses arrays whose chunks would be unpacked as Python objects.

    Raises:
        DataError: They would be, or their description cannot be read.
    """
    file = File(folder, _description(folder) or _VERSION_2)
    try:
        described = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{folder}: cannot read this array: {error.strerror}") from None
    except ValueError:
        raise DataError(f"{file}: cannot read this array: this file is no JSON; repair or remove it") from None
    if any("pickle" in text.lower() for text in _texts(described)):
        raise DataError(
            f"{folder}: holds Python objects, and unpacking them could run a stranger's code; save it as an array of "
            "plain numbers"
        )


def _texts(value: Any) -> list[str]:
    """All names of codecs, among other texts."""
    if isinstance(value, dict):
        return [text for key, item in value.items() if key != "attributes" for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
