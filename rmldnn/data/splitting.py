"""Puts some samples aside for a test, and leaves them where they are.

Two folders get links to samples that are files, and copies of samples that are rows of arrays.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rmldnn.data.layouts.layout import Pair
from rmldnn.data.rows import Rows
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.disk import reason
from rmldnn.errors import DataError, RmldnnError

_SHARED = ("csv", "coco", "labels")
"""Targets that are no files beside the inputs: one serves both sets."""


def require_movable(dataset: Dataset) -> None:
    """Refuses samples that are neither files of their own, nor rows of an array of NumPy; and a single one.

    Raises:
        DataError: They are parts of other files, stores, or pairs of files; or none can be spared.
    """
    if not any(chosen(dataset, 0.5)):
        raise DataError("there is one sample only, or one of each class, of which none can be put aside for a test")
    if _rows(dataset) is not None:
        return
    for side in filter(None, (dataset.inputs, dataset.targets)):
        source = side.source
        if source.kind in _SHARED:
            continue
        places = [source.locate(index) for index in range(len(dataset))]
        if len({*places}) < len(places) or not all(map(os.path.isfile, places)) or places[0].endswith(".hdr"):
            raise DataError(f"samples are not files of their own (`{places[0]}`), so none can be put aside by links")


def chosen(dataset: Dataset, fraction: float) -> list[bool]:
    """For every sample, whether it is put aside: every so many of each class, evenly.

    Args:
        dataset: The set; classes count where each sample has one.
        fraction: The part that is wanted, between 0 and 1.

    Returns:
        At least one sample of every class that has two, and never all of a class.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(_groups(dataset)):
        groups[group].append(index)
    aside = [False] * len(dataset)
    for members in groups.values():
        count = min(len(members) - 1, max(1, round(len(members) * fraction)))
        for number in range(count):
            aside[members[int((number + 0.5) * len(members) / count)]] = True
    return aside


def _groups(dataset: Dataset) -> Sequence[int]:
    """The class of every sample; one for all where they have none."""
    source = dataset.targets.source if dataset.targets else None
    if source is not None and source.meaning == "classes" and (source.kind in _SHARED or isinstance(source, Rows)):
        classes = np.asarray(source.take(np.arange(len(dataset))))
        if classes.size == len(dataset):
            return [int(one) for one in classes.ravel()]
    return [0] * len(dataset)


@contextmanager
def divided(
    dataset: Dataset, train: Pair, fraction: float, folder: Path, *, replaced: bool
) -> Iterator[tuple[Pair, Pair, int, int]]:
    """Links to all samples, in a folder that stays only if all goes well in the block.

    Args:
        dataset: The samples, each a file of its own.
        train: Where they lie.
        fraction: The part that is put aside.
        folder: The new folder, with `train/` and `test/` in it, and in these the names that samples had.
        replaced: Whether a folder of such links may be replaced.

    Yields:
        Where the training set and the test set lie when the block is left, and how many samples each has.

    Raises:
        DataError: Samples are no files, or there is one only; or something else is at the folder's place.
        RmldnnError: The folder cannot be written.
    """
    require_movable(dataset)
    if folder.exists() or folder.is_symlink():
        _require_replaceable(folder, replaced=replaced)
    aside = chosen(dataset, fraction)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _told(folder):
            rest, test = (_set(dataset, train, partial, folder, which, aside) for which in ("train", "test"))
        yield rest, test, aside.count(False), aside.count(True)
        with _told(folder):
            if folder.exists():
                shutil.rmtree(folder)  # of links and copies, as was seen
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = reason(error, folder)
        raise RmldnnError(f"cannot write `{folder}`: {why}; --test-fraction 0 goes without") from error


def _require_replaceable(folder: Path, *, replaced: bool) -> None:
    """Refuses a folder that is in use, or in which is anything but links."""
    if not replaced:
        raise DataError(f"`{folder}` is there already; --force replaces its links, or remove it")
    if folder.is_symlink() or not folder.is_dir():
        raise DataError(f"`{folder}` is no folder of links; remove it, or run this in another folder")
    for where, _, files in os.walk(folder):
        for name in files:
            copied = name in ("inputs.npy", "targets.npy") and Path(where).parent == folder
            if not Path(where, name).is_symlink() and not copied:
                raise DataError(f"`{folder}` holds more than links, such as `{Path(where, name)}`; it is not replaced")


def _rows(dataset: Dataset) -> tuple[Rows, Rows] | None:
    """Inputs and targets, if they are rows of arrays of NumPy."""
    one, other = dataset.inputs.source, dataset.targets.source if dataset.targets else None
    rows = isinstance(one, Rows) and isinstance(other, Rows) and one.kind == other.kind == "numpy"
    return (one, other) if rows and isinstance(one, Rows) and isinstance(other, Rows) else None


def _set(dataset: Dataset, train: Pair, partial: Path, folder: Path, which: str, aside: Sequence[bool]) -> Pair:
    """One set; where it will be."""
    indices = [index for index, one in enumerate(aside) if one == (which == "test")]
    if rows := _rows(dataset):
        for role, source in zip(("inputs", "targets"), rows, strict=True):
            _copy(source, indices, partial / which / f"{role}.npy")
        return Pair(*(f"{_named(folder)}/{which}/{role}.npy" for role in ("inputs", "targets")))
    return _linked(dataset, train, partial, folder, which, indices)


def _copy(source: Rows, indices: Sequence[int], file: Path) -> None:
    """Writes some rows of arrays as one array."""
    file.parent.mkdir(parents=True, exist_ok=True)
    first = source.stored(indices[0])
    copy = np.lib.format.open_memmap(file, "w+", first.dtype, (len(indices), *first.shape))
    for place, index in enumerate(indices):
        copy[place] = source.stored(index)[...]
    copy.flush()


def _linked(dataset: Dataset, train: Pair, partial: Path, folder: Path, which: str, indices: Sequence[int]) -> Pair:
    """Links to the samples of one set; where they will be."""
    inputs, targets = dataset.inputs.source, dataset.targets.source if dataset.targets else None
    if targets is None or train.target is None or targets.kind in _SHARED:
        _link(inputs, indices, train.input, partial / which, folder / which)
        return Pair(f"{_named(folder)}/{which}/", train.target)
    _link(inputs, indices, train.input, partial / which / "inputs", folder / which / "inputs")
    boxed = [index for index in indices if targets.locate(index) != inputs.locate(index)]  # others are without boxes
    _link(targets, boxed, train.target, partial / which / "targets", folder / which / "targets")
    return Pair(*(f"{_named(folder)}/{which}/{role}/" for role in ("inputs", "targets")))


def _link(source: Source, indices: Sequence[int], root: str, place: Path, final: Path) -> None:
    """Links to some samples, by relative paths that hold where the folder will be."""
    place.mkdir(parents=True)
    for index in indices:
        path = source.locate(index)
        name = os.path.relpath(path, root)
        link = place / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(os.path.realpath(path), os.path.realpath((final / name).parent)))


def _named(folder: Path) -> str:
    """The folder as a configuration names it."""
    return str(folder) if folder.is_absolute() else f"./{folder}"
