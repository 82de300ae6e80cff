"""The table that grows by a line with every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from rmldnn.output.rows import Row, less_is_better, number
from rmldnn.steps import EvalEnd, TrainEnd

if TYPE_CHECKING:
    from torch import Tensor


def duration(seconds: float) -> str:
    """A time span, as short as it can be said: `0.35 s`, `12.3 s`, `2:05`, `1:02:03`."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _metric(value: float) -> str:
    """Three decimals, or the leading digits of what would vanish in them."""
    return f"{value:.1e}" if 0 < abs(value) < _VANISHES else f"{value:.3f}"


@dataclass(frozen=True)
class _Column:
    """One column: titles and widths on a wide and on a narrow screen (width 0: left out), and how values look."""

    titles: tuple[str, str]
    widths: tuple[int, int]
    show: Callable[[float], str]
    style: str = ""
    best: Callable[[float, float], float] | None = None


_COLUMNS = {
    "epoch": _Column(("Epoch", "Epoch"), (7, 5), "{:.0f}".format, "dim"),
    "train_loss": _Column(("Train loss", "Train"), (13, 10), number),
    "test_loss": _Column(("Test loss", "Test"), (12, 10), number, best=min),
    "accuracy": _Column(("Accuracy", "Acc."), (11, 7), "{:.3f}".format, best=max),
    "learning_rate": _Column(("Learning rate", ""), (16, 0), "{:.4g}".format, "dim"),
    "seconds": _Column(("Time", "Time"), (10, 8), duration, "dim"),
}


_NARROWEST = 9
_VANISHES = 1e-3


def _column(name: str) -> _Column:
    """The column of a number; those that are none of the usual ones are metrics."""
    if name in _COLUMNS:
        return _COLUMNS[name]
    width = max(_NARROWEST, len(name) + 3)
    return _Column((name, name), (width, 0), _metric, best=min if less_is_better(name) else max)


class EpochTable:
    """Makes the lines of the table; its columns are what the first epoch knows, and new best values stand out.

    Of a metric, the number for all classes is a column; those of single classes are among the results.
    """

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._last: dict[str, float] = {}
        self._best: dict[str, dict[str, float]] = {}

    def lines(self, ends: Sequence[TrainEnd | EvalEnd], *, narrow: bool = False, width: int = 80) -> Iterator[Text]:
        """Yields the titles of the columns before the first epoch, then its line; reads tensors.

        Args:
            ends: The ends of the halves of one epoch.
            narrow: Whether to save space.
            width: Characters of a line; metrics that find no room have no column.
        """
        self._last = _values(ends)
        if not self._columns:
            usual = [name for name in _COLUMNS if name in self._last]
            room = width - sum(_column(name).widths[narrow] for name in usual)
            metrics = []
            for name in self._last:
                if name not in _COLUMNS and "/" not in name and (room := room - _column(name).widths[narrow]) >= 0:
                    metrics.append(name)
            self._columns = [*usual[:-1], *metrics, usual[-1]]
            columns = [_column(name) for name in self._columns]
            yield Text("".join(f"{column.titles[narrow]:>{column.widths[narrow]}}" for column in columns), "bold")
        yield Text.assemble(*(self._cell(name, _column(name).widths[narrow]) for name in self._columns))

    def results(self) -> list[Row]:
        """The last losses and accuracy, each with the best one if that came earlier."""
        rows: list[Row] = []
        metrics = [name for name in self._last if name not in _COLUMNS]
        for name in ("train_loss", "test_loss", "accuracy", *metrics):
            if name in self._last:
                column, text = _column(name), _column(name).show(self._last[name])
                best = self._best.get(name)
                if best is not None and best[name] != self._last[name]:
                    text += f"  (best {column.show(best[name])} in epoch {best['epoch']:.0f})"
                rows.append((column.titles[0], text))
        return rows

    def _cell(self, name: str, width: int) -> tuple[str, str]:
        column, value = _column(name), self._last.get(name)
        if value is None or not width:
            return " " * width, ""
        style = column.style
        if not math.isfinite(value):
            style = "bold red"
        elif column.best and self._improves(name, value, column.best):
            self._best[name] = self._last
            style = "green"
        return f"{column.show(value):>{width}}", style

    def _improves(self, name: str, value: float, best: Callable[[float, float], float]) -> bool:
        if name not in self._best:
            return True
        former = self._best[name][name]
        return value != former and best(value, former) == value


def _values(ends: Sequence[TrainEnd | EvalEnd]) -> dict[str, float]:
    known: dict[str, Tensor | float | None] = {"epoch": ends[0].epoch, "seconds": sum(end.seconds for end in ends)}
    for end in ends:
        if isinstance(end, TrainEnd):
            known |= {"train_loss": end.loss, "learning_rate": end.learning_rate}
        else:
            numbers = {name: value for name, value in end.metrics.items() if value.ndim == 0}
            known |= {"test_loss": end.loss, "accuracy": end.accuracy, **numbers}
    return {name: float(value) for name, value in known.items() if value is not None}
