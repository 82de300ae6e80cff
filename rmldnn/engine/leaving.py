"""Leaving a run when told to: SIGTERM (batch systems, `kill`), SIGUSR1 (SLURM before its time is over), Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_AT_ONCE = (signal.SIGTERM, signal.SIGUSR1)
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class LeftError(SystemExit):
    """A run that was told to leave while it had nothing to save yet; no `Exception`, which libraries catch."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self._name = signal.Signals(number).name

    def __str__(self) -> str:
        return f"stopped by {self._name}"


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Lets a run end by a signal as by an exception, so that files are closed and other processes let go.

    Behind it the signals mean nothing any more: this process is about to end. An exception in what Python does then,
    such as ending its workers, would leave one that is waited for without end.
    """
    for number in _AT_ONCE:
        signal.signal(number, _left)
    try:
        yield
    finally:
        for number in _AT_ONCE:
            signal.signal(number, _unheard)


def leave_with_parent() -> None:
    """Lets this process be told to leave when the one that started it is gone."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        raise LeftError(signal.SIGTERM)


def _left(number: int, _: FrameType | None) -> NoReturn:
    raise LeftError(number)


def _unheard(_: int, __: FrameType | None) -> None:
    """No SIG_IGN, which processes started later would inherit."""


class Leave:
    """Notes the first signal, so that the run can save its state at the next good moment; Ctrl-C after it ends at once.

    The others may come twice: SLURM sends SIGTERM to a task once more than needed, within milliseconds.

    A context manager; signals mean before and after what they meant. Only if one came, those that SLURM repeats mean
    nothing behind it: the process is about to end, and its last word is where the state is.
    """

    def __init__(self) -> None:
        self.signal: int = 0
        """The signal that came; 0 if none did."""
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Leave:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, _unheard if self.signal and number in _AT_ONCE else handler)  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = self.signal or number
