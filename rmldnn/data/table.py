"""Tables whose rows belong to inputs: text files of cells between commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from rmldnn.data.pairing import some
from rmldnn.errors import DataError

Row: TypeAlias = tuple[int, list[str]]
"""The number of a line, and the cells of its row; the first one names an input."""

_DELIMITERS = ",;\t"
_RELATIONS: Sequence[Callable[[str], str]] = (
    lambda name: name,
    lambda name: str(PurePosixPath(name).with_suffix("")),
    lambda name: PurePosixPath(name).name,
    lambda name: PurePosixPath(name).stem,
)
"""What names of a row and of its input may have in common: all, all but the suffix, the file, all of it but that."""


def read(file: str, inputs: Sequence[str]) -> tuple[list[str], list[Row]]:
    """The names of the columns of a table, and its rows that hold something.

    Args:
        file: The table. Where its first row belongs to an input, columns have no names and are called by their number.
        inputs: Names of the inputs.

    Raises:
        DataError: It cannot be read, or has no columns.
    """
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=max(_DELIMITERS, key=first.count))
            cells = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
            rows = [(line, [_written(row[0]), *row[1:]]) for line, row in cells if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{file}: cannot read this table: {reason}; save it as text in UTF-8") from None
    if not rows or len(rows[0][1]) == 1:
        raise DataError(f"{file}: needs a column of names of inputs, and one of targets, such as `file,class`")
    _, head = rows[0]
    if any(relation(head[0]) in set(map(relation, inputs)) for relation in _RELATIONS):
        return [str(number) for number in range(1, len(head) + 1)], rows
    return head, rows[1:]


def paired(file: str, inputs: Sequence[str], rows: Sequence[Row], key: str) -> list[Row]:
    """The row of every input; rows of other inputs are passed over.

    Args:
        file: The table.
        inputs: Names of the inputs.
        rows: Its rows.
        key: The key of `data` that names the table, for messages.

    Raises:
        DataError: Inputs have no row, or a row is there twice.
    """
    lacking = list(inputs)
    for relation in _RELATIONS:
        found: dict[str, Row] = {}
        for line, row in rows:
            name = relation(row[0])
            if name in found and relation is _RELATIONS[0]:
                raise DataError(
                    f"{file}:{line}: `{name}` has a row in line {found[name][0]} already; remove one of them"
                )
            found[name] = line, row
        keys = list(map(relation, inputs))
        if len(found) < len(rows) or len(set(keys)) < len(keys):
            continue  # it does not tell them apart
        alone = [name for name, one in zip(inputs, keys, strict=True) if one not in found]
        if not alone:
            return [found[one] for one in keys]
        lacking = min(lacking, alone, key=len)
    raise DataError(
        f"data.{key}: `{file}` has no row for {len(lacking)} of {len(inputs)} inputs{some('', lacking)}; the first "
        f"cell of a row names its input by path or file name{f', here `{rows[0][1][0]}`' if rows else ''}"
    )


def _written(name: str) -> str:
    """The name of a file as sources write it."""
    return name.replace("\\", "/").removeprefix("./")
