"""Which samples can be put aside for a test, and which ones are."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rmldnn.data.rows import Rows
from rmldnn.data.sets import Dataset
from rmldnn.errors import DataError

SHARED = ("csv", "coco", "labels")
"""Targets that are no files beside the inputs: one serves both sets."""


def require_movable(dataset: Dataset) -> None:
    """Refuses samples that are neither files of their own, nor rows of an array of NumPy; and a single one.

    Raises:
        DataError: They are parts of other files, stores, or pairs of files; or none can be spared.
    """
    if not any(chosen(dataset, 0.5)):
        raise DataError("there is one sample only, or one of each class, of which none can be put aside for a test")
    if rows_of(dataset) is not None:
        return
    for side in filter(None, (dataset.inputs, dataset.targets)):
        if side.source.kind in SHARED:
            continue
        places = [side.source.locate(index) for index in range(len(dataset))]
        files = [*map(file_of, places)]
        if len({*files}) < len(files) or None in files:
            place = next((one for one, file in zip(places, files, strict=True) if file is None), places[0])
            raise DataError(f"samples are not files of their own (`{place}`), so none can be put aside by links")


def file_of(place: str) -> str | None:
    """The file that a sample is, or lies in; None if it is a store, one of a pair of files, or a row."""
    file = place
    while not os.path.lexists(file) and "/" in file:  # what is inside a file has a path below it
        file = file.rpartition("/")[0]
    known = Path(file).is_file() or Path(file).is_symlink()  # dead links are told elsewhere
    return file if known and not place.endswith(".hdr") else None


def copied(dataset: Dataset) -> int:
    """Bytes of the rows that are copied; 0 where samples are files."""
    sides = [(one.stored(0), len(one.names)) for one in rows_of(dataset) or ()]
    return sum(math.prod(row.shape) * np.dtype(row.dtype).itemsize * count for row, count in sides)


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
    if source is None or source.meaning != "classes":
        return [0] * len(dataset)
    if source.kind in SHARED or (isinstance(source, Rows) and math.prod(source.stored(0).shape) == 1):
        return [int(one) for one in np.asarray(source.take(np.arange(len(dataset)))).ravel()]
    return [0] * len(dataset)


def rows_of(dataset: Dataset) -> tuple[Rows, Rows] | None:
    """Inputs and targets, if they are rows of arrays of NumPy."""
    one, other = dataset.inputs.source, dataset.targets.source if dataset.targets else None
    rows = isinstance(one, Rows) and isinstance(other, Rows) and one.kind == other.kind == "numpy"
    return (one, other) if rows and isinstance(one, Rows) and isinstance(other, Rows) else None
