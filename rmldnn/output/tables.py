"""Tables for people: at a terminal in its width, in a file as wide as they need to be."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 400
"""Columns where nobody looks at a screen: nothing is cut or wrapped."""


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, plain: bool = False) -> None:
    """Prints a table to standard output.

    Args:
        title: Stands above it; none if empty.
        columns: Their titles; one that begins with `>` is for numbers, on the right. All empty: no head.
        rows: The cells.
        plain: Even if standard output looks like a terminal.
    """
    screen = Console(highlight=False)
    if plain or not screen.is_terminal:
        screen = Console(highlight=False, width=_WIDE, force_terminal=False)
    table = Table(box=None, show_header=any(columns), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    if title:
        screen.print(Text(title, style="bold"))
    screen.print(table)
    screen.print()


def count(number: int | None) -> str:
    """A number as people read it: all digits in groups up to a million, `25.6 M` beyond."""
    if number is None:
        return ""
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if number >= 10 * unit or (number >= unit and unit > 10**6):
            return f"{number / unit:.4g} {name}"
    return f"{number:,}"


def bytes_(number: int) -> str:
    """A size in memory: `1.5 GiB`."""
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= unit:
            size = number / unit
            return f"{size:.3g} {name}" if size < 999.5 else f"{size:.0f} {name}"
    return f"{number} bytes"
