"""What a run says while it goes: one protocol, and the choice of who speaks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, Protocol

from rmldnn.output.plain import PlainConsole
from rmldnn.output.records import connect
from rmldnn.output.rows import Rows
from rmldnn.steps import Step


class Consumer(Protocol):
    """Whoever takes the steps of a run: consoles, history and prediction files, checkpoints."""

    def consume(self, step: Step) -> None:
        """Takes one step; may convert its tensors, and should do so rarely: that waits for the device."""

    def close(self) -> None:
        """Completes or discards what is unfinished. Called once the run is over, however it ended; twice is once."""


class Console(Consumer, Protocol):
    """Tells a person, or a script that reads along, what a run is and how it goes.

    From its making until `close` it also speaks for the logger `rmldnn`.
    """

    def header(self, num_processes: int) -> None:
        """Says which software runs, and in how many processes."""

    def section(self, title: str, rows: Rows, *, footer: bool = True) -> None:
        """Describes one part of the run.

        Args:
            title: Name of the part: `Neural Network`.
            rows: Labels and values; an empty value leaves the label alone, a `Group` holds further rows.
            footer: Whether a closing rule follows in the plain log.
        """

    def text(self, line: str) -> None:
        """Says one line."""

    def finish(self, paths: Sequence[tuple[str, str]]) -> None:
        """Says that all went well, and where every output lies.

        Args:
            paths: What it is, and its path.
        """


class SilentConsole:
    """Says nothing: the console of every process but the first."""

    def __init__(self) -> None:
        self._disconnect = connect(self.text)

    def header(self, num_processes: int) -> None:
        """Says nothing."""

    def section(self, title: str, rows: Rows, *, footer: bool = True) -> None:
        """Says nothing."""

    def text(self, line: str) -> None:
        """Says nothing."""

    def consume(self, step: Step) -> None:
        """Says nothing."""

    def finish(self, paths: Sequence[tuple[str, str]]) -> None:
        """Says nothing."""

    def close(self) -> None:
        """Stops listening to the logger."""
        self._disconnect()


def open_console(kind: Literal["auto", "plain", "rich", "silent"] = "auto") -> Console:
    """Makes the console of a run.

    Args:
        kind: `plain` is the original's log, `rich` tables and progress bars, `silent` nothing; `auto` is `rich` on a
            terminal that can move its cursor and `plain` otherwise.
    """
    if kind == "silent":
        return SilentConsole()
    if kind == "plain" or (kind == "auto" and not sys.stdout.isatty()):
        return PlainConsole()
    from rmldnn.output import terminal  # rich takes a while to import

    screen = terminal.open_screen()
    return PlainConsole() if kind == "auto" and screen.is_dumb_terminal else terminal.TerminalConsole(screen)
