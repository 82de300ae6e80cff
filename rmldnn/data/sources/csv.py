"""Targets that stand in a table: a row for each input, which its first cell names."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component, near_miss
from rmldnn.data.discovery import discover
from rmldnn.data.files import fingerprint
from rmldnn.data.pairing import some
from rmldnn.data.source import Indices, Meaning, Side, Source
from rmldnn.data.table import Row, paired, read
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_SUFFIXES = (".csv", ".tsv", ".txt")
_MOST = 2**16
"""Classes that are called by numbers, at most."""
_FEW, _FOR_EACH = 100, 10
"""As many as these, or for each row, are no quantities."""


class Csv(Source):
    """Classes or numbers of a table; see `Source`.

    Args:
        inputs: The inputs that they belong to.
        file: The table.
        lines: For every input the line of its row.
        targets: Class indices (n,), int64, or numbers (n, columns), float32.
        classes: Names of the classes with their indices; none for numbers.
    """

    kind = "csv"
    noun = "rows"
    finite = True

    def __init__(
        self, inputs: Source, file: str, lines: Sequence[int], targets: NDArray[Any], classes: Mapping[str, int]
    ) -> None:
        self.names = inputs.names
        self.targets = targets
        self.classes = classes
        self.meaning: Meaning = "classes" if classes else "values"
        self._file = file
        self._lines = lines

    def take(self, indices: Indices) -> NDArray[Any]:
        """Class indices, shape (n,), or numbers, shape (n, columns)."""
        return self.targets[indices]

    def locate(self, index: int) -> str:
        """The file, and the line of the row."""
        return f"{self._file}:{self._lines[index]}"

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Nothing is left to read."""
        return 0

    def fingerprint(self) -> str:
        """Of the targets of every input."""
        return fingerprint(self.kind, dict(self.classes), self.targets.tolist())


@component("csv")
def csv(
    side: Side, *, columns: list[str] | None = None, meaning: Literal["auto", "classes", "numbers"] = "auto"
) -> Csv | None:
    """Takes the targets of every input from a table: a text file of cells between commas, semicolons or tabs.

    The first cell of a row names the input: its path below the configured folder, with or without the suffix, or the
    name of its file if that is unique. Rows of other inputs are passed over, so that one table may serve both sets. The
    first row names the columns, unless it is that of an input already.

    Args:
        side: What to open.
        columns: The columns that are targets, by name, or by number, such as `"2"`, where the table has no names; all
            but the first by default.
        meaning: What they hold. `classes`: names of classes, whose indices count the names of the training set in
            alphabetical order; or whole numbers, which are the indices, from 0. `numbers`: as many targets as columns.
            `auto`: classes where it is one column of names, or of whole numbers that may be indices: below 65536, and
            below 100 or 10 times the rows.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: A table is wanted as inputs, or classes of several columns.
        DataError: There is no table or no such column, an input has no row, or a cell is not what it should be.
    """
    if side.inputs is None:
        raise ConfigError(Problem("data.input_type", "`csv` are targets, not inputs; use `numpy` for rows of numbers"))
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} table...")
    start, names = discover(side, _SUFFIXES, "tables")
    if len(names) > 1:
        raise DataError(f"data.{side.key}: there are several tables in `{side.path}`{some('', names, 4)}; name one")
    file = start + names[0]
    head, rows = read(file, side.inputs.names)
    wanted = list(columns or head[1:])
    if strange := [name for name in wanted if name not in head]:
        raise DataError(f"data.columns: there is no column `{strange[0]}` in `{file}`{near_miss(strange[0], head[1:])}")
    places = [head.index(name) for name in wanted]
    rows = [
        (line, [row[place] if place < len(row) else "" for place in places])
        for line, row in paired(file, side.inputs.names, rows, side.key)
    ]
    _require_filled(file, rows, wanted)
    lines, known = [line for line, _ in rows], side.training.classes if isinstance(side.training, Csv) else None
    if meaning == "auto":
        meaning = "classes" if (bool(known) if known is not None else _are_classes(rows)) else "numbers"
    if meaning == "numbers":
        return Csv(side.inputs, file, lines, _numbers(file, rows, wanted), {})
    if len(wanted) > 1:
        raise ConfigError(Problem("data.columns", f"must name the one column of the classes{some('', wanted)}"))
    classes = known or _classes(file, [name for _, (name,) in rows])
    return Csv(side.inputs, file, lines, _indices(file, rows, classes), classes)


def _require_filled(file: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    for line, row in rows:
        if "" in row:
            raise DataError(f"{file}:{line}: the column `{columns[row.index('')]}` is empty; fill it")


def _are_classes(rows: Sequence[Row]) -> bool:
    """Whether rows have one cell each, and these are whole numbers that may be indices, or not all of them numbers."""
    if any(len(row) != 1 for _, row in rows):
        return False
    names = [name for _, (name,) in rows]
    if all(map(_whole, names)):
        return max(map(int, names)) < min(_MOST, max(_FEW, _FOR_EACH * len(names)))
    return not all(map(_is_number, names))


def _classes(file: str, names: Sequence[str]) -> dict[str, int]:
    """The index of each class."""
    if all(map(_whole, names)):
        count = max(map(int, names)) + 1
        if count > _MOST:
            raise DataError(
                f"{file}: class indices count from 0 up to {_MOST - 1} at most, got {count - 1}; name classes"
            )
        return {str(index): index for index in range(count)}
    return {name: index for index, name in enumerate(sorted(set(names)))}


def _indices(file: str, rows: Sequence[Row], classes: Mapping[str, int]) -> NDArray[Any]:
    found = []
    for line, (name,) in rows:
        index = classes.get(name, classes.get(name.lstrip("0") or "0"))
        if index is None:
            known = some("", list(classes), 10).removeprefix(": ")
            raise DataError(f"{file}:{line}: class `{name}` is none of the training set, which has {known}")
        found.append(index)
    return np.array(found, np.int64)


def _numbers(file: str, rows: Sequence[Row], columns: Sequence[str]) -> NDArray[np.float32]:
    for line, row in rows:
        for column, text in zip(columns, row, strict=True):
            if not _is_number(text):
                raise DataError(
                    f"{file}:{line}: the column `{column}` must hold numbers, got `{text}`; repair it, or name the "
                    "columns that are targets as `columns`"
                )
    return np.array([[float(text) for text in row] for _, row in rows], np.float32)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()
