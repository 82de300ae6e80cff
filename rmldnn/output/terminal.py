"""The console for people at a terminal: sections in columns, a table of epochs, and bars while they run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console as Screen
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rmldnn.output.bars import Bars, rate
from rmldnn.output.epochs import EpochTable, duration
from rmldnn.output.matrix import TITLE, matrix_lines
from rmldnn.output.progress import Progress
from rmldnn.output.records import connect
from rmldnn.output.rows import Group, Row, Rows, show
from rmldnn.output.versions import versions
from rmldnn.steps import EpochEnd, EvalEnd, EvalStep, Step, TrainEnd, TrainStep

_PERIOD = 0.2
"""Seconds between two drawings: calm to the eye, and a device is waited for only then."""
_NARROW = 72
_TITLE_WIDTH = 18


def open_screen() -> Screen:
    """Standard output as rich sees it: its width, its colours or `NO_COLOR`."""
    return Screen(highlight=False)


class TerminalConsole:
    """Shows a run with rich, in the thread of the run: no drawing thread holds a lock while workers are forked.

    Args:
        screen: Where to draw.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._progress = Progress()
        self._bars = Bars(self._progress)
        self._live = Live(self._bars, console=screen, auto_refresh=False, transient=True)
        self._drawn = 0.0
        self._said = False
        self._table = EpochTable()
        self._tested: EvalEnd | None = None
        self._ends: list[TrainEnd | EvalEnd] = []
        self._epochs: list[list[TrainEnd | EvalEnd]] = []
        self._train_seconds = 0.0
        self._disconnect = connect(self.text)

    def header(self, num_processes: int) -> None:
        """Shows the program's versions and the number of processes."""
        name, _, rest = versions().partition(" (")
        processes = f"{num_processes} process{'es' if num_processes > 1 else ''}"
        self._screen.print(Text.assemble((name, "bold"), (f"  {rest.rstrip(')')}, {processes}\n", "dim")))

    def section(self, title: str, rows: Rows, *, footer: bool = True) -> None:  # noqa: ARG002 - of the plain log
        """Shows a block of rows beside its title, or below it where there is no room; groups become columns."""
        if self._said:
            self._screen.print()
            self._said = False
        groups = [(label, value.rows) for label, value in rows if isinstance(value, Group)]
        grid = _grid(groups if len(groups) == len(rows) and not self._narrow else [("", rows)])
        room = self._screen.width - _TITLE_WIDTH
        if self._narrow or self._screen.measure(grid, options=self._screen.options).maximum > room:
            self._screen.print(Text(title, "bold"), Padding(grid, (0, 0, 1, 2)), sep="\n")
            return
        beside = Table.grid()
        beside.add_column(width=_TITLE_WIDTH)
        beside.add_row(Padding(Text(title, "bold"), (0, 2, 0, 0)), grid)
        self._screen.print(Padding(beside, (0, 0, 1, 0)))

    def text(self, line: str) -> None:
        """Shows a line, above the bars if there are any."""
        style = "yellow" if line.startswith("Warning: ") else "red" if line.startswith("Error: ") else "dim"
        self._screen.print(Text(line, style))
        self._said = True

    def consume(self, step: Step) -> None:
        """Takes note of a step; draws five times a second at most, and reads tensors only then."""
        self._progress.follow(step)
        match step:
            case TrainStep() | EvalStep():
                now = time.perf_counter()
                if now - self._drawn >= _PERIOD:
                    self._drawn = now
                    self._draw(step)
            case TrainEnd():
                self._ends.append(step)
                self._train_seconds += step.seconds
            case EvalEnd():
                self._ends.append(step)
                self._tested = step
            case EpochEnd():
                self._end_epoch()

    def finish(self, paths: Sequence[tuple[str, str]]) -> None:
        """Replaces the bars by a summary, and says where every output lies."""
        self._live.stop()
        self._end_epoch()
        self._print_epochs()
        if self._tested is not None and (lines := matrix_lines(self._tested)):
            self._screen.print(Text(f"\n{TITLE}", "bold"), Text("\n".join(f"  {line}" for line in lines)), sep="\n")
            self._said = True
        self.section("Done", self._summary())
        if paths:
            self.section("Output", paths)

    def close(self) -> None:
        """Gives the screen back; the bars of a run that did not finish stay where they stood."""
        self._disconnect()
        self._print_epochs()
        self._live.transient = False
        self._live.stop()

    @property
    def _narrow(self) -> bool:
        return self._screen.width < _NARROW

    def _draw(self, step: TrainStep | EvalStep) -> None:
        self._bars.look(step)
        self._live.start()
        self._print_epochs()
        self._live.refresh()

    def _end_epoch(self) -> None:
        if self._ends:
            self._epochs.append(self._ends)
            self._ends = []

    def _print_epochs(self) -> None:
        """Adds the epochs that are over to the table: all at once, since an epoch may take milliseconds."""
        epochs, self._epochs = self._epochs, []
        lines = [
            line for ends in epochs for line in self._table.lines(ends, narrow=self._narrow, width=self._screen.width)
        ]
        if lines:
            self._screen.print(Text("\n").join(lines))
            self._said = True

    def _summary(self) -> list[Row]:
        rows: list[Row] = [("Time", duration(self._progress.run_elapsed))]
        if self._train_seconds:
            rows.append(("Training", f"{rate(self._progress.train_samples / self._train_seconds)} samples/s"))
        return [*rows, *self._table.results()]


def _grid(columns: Sequence[tuple[str, Rows]]) -> Table:
    """Labels on the left, and the values of each column: groups that share labels are easy to compare so."""
    texts = [_texts(rows) for _, rows in columns]
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    for _ in columns:
        grid.add_column(overflow="fold")
    if any(title for title, _ in columns):
        grid.add_row("", *(Text(title, "dim") for title, _ in columns))
    for place in dict.fromkeys(place for column in texts for place in column):
        *groups, label, _ = place
        grid.add_row(Text(2 * len(groups) * " " + label), *(Text(column.get(place, "")) for column in texts))
    return grid


def _texts(rows: Rows, groups: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """The text of each row at its place: its groups, its label, and a count, for a transform may occur twice."""
    texts: dict[tuple[str, ...], str] = {}
    for label, value in rows:
        shown = " ".join(label.split())
        place = (*groups, shown, str(sum(key[:-1] == (*groups, shown) for key in texts)))
        if isinstance(value, Group):
            texts[place] = ""
            texts |= _texts(value.rows, (*groups, shown))
        else:
            texts[place] = ("yes" if value else "no") if isinstance(value, bool) else show(value)
    return texts
