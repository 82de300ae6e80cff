"""Samples that are the rows of larger arrays: those whose first axis counts the samples."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import accumulate
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.arrays import Arrays, Stored, Window, batch_last, relieve, stacked
from rmldnn.data.files import fingerprint
from rmldnn.data.source import Indices, Samples, Side
from rmldnn.errors import DataError

SamplesAre: TypeAlias = Literal["arrays", "rows"]


class Row:
    """One row of an array; see `Stored`.

    Args:
        array: The whole array.
        row: Its place on the first axis.
    """

    def __init__(self, array: Stored, row: int) -> None:
        self.shape = tuple(array.shape[1:])
        self.dtype = array.dtype
        self._array = array
        self._row = row

    def __getitem__(self, window: Any) -> Any:
        return self._array[self._row] if window is ... else self._array[(self._row, *window)]


class Rows(Arrays):
    """The rows of all arrays of another source; see `Source`.

    Args:
        side: What was opened.
        whole: The arrays.
    """

    def __init__(self, side: Side, whole: Arrays) -> None:
        self.kind = whole.kind
        self.whole = whole
        self.blocks = [_length(whole, index) for index in range(len(whole.names))]
        self._ends = list(accumulate(self.blocks))
        several = len(whole.names) > 1
        names = [
            f"{name}/{row}" if several else str(row)
            for name, count in zip(whole.names, self.blocks, strict=True)
            for row in range(count)
        ]
        super().__init__(side, names, whole.channel_axis)

    def open(self, index: int) -> Row:
        """The row; the array that it lies in is opened."""
        array, row = self._place(index)
        return Row(self.whole.stored(array), row)

    def take(self, indices: Indices) -> Samples:
        """Reads rows, those that follow each other at once."""
        places = [self._place(index) for index in indices.tolist()]
        runs: list[NDArray[Any]] = []
        start = 0
        for stop in range(1, len(places) + 1):
            array, row = places[start]
            if stop == len(places) or places[stop] != (array, row + stop - start):
                runs.append(self.whole.stored(array)[(slice(row, row + stop - start), *self._all(array))])
                start = stop
        relieve(map(self.whole.stored, {array for array, _ in places}))
        if len(runs) == 1 and runs[0].flags.owndata:
            return batch_last(runs[0], self.channels)
        return stacked([row for run in runs for row in run], self.channels)

    def locate(self, index: int) -> str:
        """The place of the array, and the number of the row."""
        array, row = self._place(index)
        return f"{self.whole.locate(array)}[{row}]"

    def encoded_bytes(self, limit: int) -> int:
        """Bytes of the arrays."""
        return self.whole.encoded_bytes(limit)

    def files(self) -> Iterable[str]:
        """Those of the arrays."""
        return self.whole.files()

    def fingerprint(self) -> str:
        """Of the arrays."""
        return fingerprint("rows", self.whole.fingerprint(), self.channels)

    def _all(self, array: int) -> Window:
        """Everything that a row holds."""
        return (slice(None),) * (len(self.whole.stored(array).shape) - 1)

    def _place(self, index: int) -> tuple[int, int]:
        array = bisect_right(self._ends, index)
        return array, index - (self._ends[array] - self.blocks[array])


def opened(side: Side, samples: SamplesAre, open_whole: Callable[[Side], Arrays]) -> Arrays:
    """The arrays of a side, or their rows.

    Args:
        side: What to open.
        samples: What a sample is.
        open_whole: Opens the arrays.

    Raises:
        DataError: There are other numbers of rows than of inputs.
    """
    if samples == "arrays":
        return open_whole(side)
    inputs = side.inputs
    arrays = open_whole(replace(side, inputs=inputs.whole if isinstance(inputs, Rows) else None, skip_bad=False))
    rows = Rows(side, arrays)
    if inputs is not None and (
        len(inputs.names) != len(rows.names) or (isinstance(inputs, Rows) and inputs.blocks != rows.blocks)
    ):
        raise DataError(
            f"data.{side.key}: there are {len(rows.names)} rows, but {len(inputs.names)} inputs"
            f"{_different(inputs, rows)}; rows belong to inputs by their position, so there must be as many"
        )
    return rows


def _different(inputs: Any, rows: Rows) -> str:
    if not isinstance(inputs, Rows):
        return ""
    places = zip(inputs.blocks, rows.blocks, range(len(rows.blocks)), strict=False)
    return next(
        (
            f" ({os.path.basename(rows.whole.names[place])} has {count}, its inputs {wanted})"  # noqa: PTH119 - a name
            for wanted, count, place in places
            if wanted != count
        ),
        "",
    )


def _length(whole: Arrays, index: int) -> int:
    shape = whole.stored(index).shape
    if not shape:
        raise DataError(f"{whole.locate(index)}: is a single number and has no rows; remove it")
    return int(np.int64(shape[0]))
