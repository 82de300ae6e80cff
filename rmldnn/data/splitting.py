"""Puts some samples aside for a test, and leaves them where they are.

Two folders get links to samples that are files, and copies of samples that are rows of arrays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rmldnn.data.aside import SHARED, chosen, file_of, rows_of
from rmldnn.data.discovery import MADE
from rmldnn.data.layouts.layout import Pair
from rmldnn.data.rows import Rows
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.disk import reason
from rmldnn.errors import RmldnnError

_ROLES = ("inputs", "targets")


def place(folder: Path, *, replaced: bool) -> Path:
    """Where links can be: at this place, if it is free, or held by such links that may be replaced; else beside it."""
    free, number = folder, 2
    while os.path.lexists(free) and not (replaced and _is_made(free)):
        free, number = folder.with_name(f"{folder.name}_{number}"), number + 1
    return free


@contextmanager
def divided(dataset: Dataset, train: Pair, fraction: float, folder: Path) -> Iterator[tuple[Pair, Pair, int, int]]:
    """Links to all samples, or copies of rows, in a folder that stays only if all goes well in the block.

    Args:
        dataset: The samples, which `require_movable` lets through.
        train: Where they lie.
        fraction: The part that is put aside.
        folder: The new folder, as `place` gives it, with `train/` and `test/` in it, and in these the names that
            samples had.

    Yields:
        Where the training set and the test set lie when the block is left, and how many samples each has.

    Raises:
        RmldnnError: The folder cannot be written.
    """
    aside = chosen(dataset, fraction)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _told(folder):
            partial.mkdir()
            (partial / MADE).touch()
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


def _is_made(folder: Path) -> bool:
    """Whether a folder was made here, and holds nothing else."""
    if folder.is_symlink() or not (folder / MADE).is_file():
        return False
    copies = {folder / MADE, *(folder / which / f"{role}.npy" for which in ("train", "test") for role in _ROLES)}
    files = (Path(where, name) for where, _, names in os.walk(folder) for name in names)
    return all(file.is_symlink() or file in copies for file in files)


def _set(dataset: Dataset, train: Pair, partial: Path, folder: Path, which: str, aside: Sequence[bool]) -> Pair:
    """One set; where it will be."""
    indices = [index for index, one in enumerate(aside) if one == (which == "test")]
    if rows := rows_of(dataset):
        for role, source in zip(_ROLES, rows, strict=True):
            _copy(source, indices, partial / which / f"{role}.npy")
        return Pair(*(f"{_named(folder)}/{which}/{role}.npy" for role in _ROLES))
    return _linked(dataset, train, partial, folder, which, indices)


def _copy(source: Rows, indices: Sequence[int], file: Path) -> None:
    """Writes some rows of arrays as one array."""
    file.parent.mkdir(parents=True, exist_ok=True)
    first = source.stored(indices[0])
    head = {"descr": np.lib.format.dtype_to_descr(np.dtype(first.dtype)), "fortran_order": False}
    with file.open("wb") as stream:  # where a mapped file would crash for lack of room, this tells
        np.lib.format.write_array_header_1_0(stream, {**head, "shape": (len(indices), *first.shape)})
        for index in indices:
            stream.write(source.stored(index)[...].astype(first.dtype, copy=False).tobytes())


def _linked(dataset: Dataset, train: Pair, partial: Path, folder: Path, which: str, indices: Sequence[int]) -> Pair:
    """Links to the samples of one set; where they will be."""
    inputs, targets = dataset.inputs.source, dataset.targets.source if dataset.targets else None
    if targets is None or train.target is None or targets.kind in SHARED:
        _link(inputs, indices, train.input, partial / which, folder / which)
        return Pair(f"{_named(folder)}/{which}/", train.target)
    _link(inputs, indices, train.input, partial / which / "inputs", folder / which / "inputs")
    boxed = [index for index in indices if targets.locate(index) != inputs.locate(index)]  # others are without boxes
    _link(targets, boxed, train.target, partial / which / "targets", folder / which / "targets")
    return Pair(*(f"{_named(folder)}/{which}/{role}/" for role in _ROLES))


def _link(source: Source, indices: Sequence[int], root: str, place: Path, final: Path) -> None:
    """Links to some samples, by relative paths that hold where the folder will be."""
    place.mkdir(parents=True)
    for index in indices:
        path = file_of(source.locate(index)) or ""
        name = os.path.relpath(path, root)
        link = place / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(os.path.realpath(path), os.path.realpath((final / name).parent)))


def _named(folder: Path) -> str:
    """The folder as a configuration names it."""
    return str(folder) if folder.is_absolute() else f"./{folder}"
