"""Processes that begin, are told to leave, and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from rmldnn.engine.leaving import SIGNALS

GRACE = 12.0
"""Seconds in which the others may end once one has failed; by themselves they do so in less (`engine/heartbeat.py`)."""
_PACE = 0.05
_TAIL = 30
"""Lines that a process says last."""
_LEFT = {128 + number for number in SIGNALS}


@dataclass
class Member:
    """One process of a group.

    Args:
        name: What people call it.
        command: How it is started.
        environment: Its variables.
        speaks: Whether what it says goes to the user as it is; else its last words are told if it fails.
        obeys: Whether it reads numbers of signals, a line each, instead of getting them.
        meanings: What some exit codes of it mean.
        first: What it reads from standard input before all numbers, if it obeys.
        title: What people call it in a sentence; its name if empty.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    speaks: bool = False
    obeys: bool = False
    meanings: Mapping[int, str] = field(default_factory=dict)
    first: bytes = b""
    title: str = ""
    process: subprocess.Popen[bytes] = field(init=False)
    _said: IO[bytes] | None = field(init=False, default=None)

    def start(self) -> None:
        """Starts it, in a session of its own, so that Ctrl-C reaches it once and by us.

        Raises:
            OSError: The program cannot be started.
        """
        self._said = None if self.speaks else tempfile.TemporaryFile()  # noqa: SIM115 - read when it has ended
        try:
            self.process = subprocess.Popen(  # noqa: S603 - a program of ours, or what the user calls ssh
                self.command,
                stdin=subprocess.PIPE if self.obeys else None if self.speaks else subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env=self.environment,
                start_new_session=True,
            )
        except OSError:
            if self._said is not None:
                self._said.close()
            raise
        if self.process.stdin is not None:
            with suppress(OSError):  # it has just ended
                self.process.stdin.write(self.first)
                self.process.stdin.flush()

    def tell(self, number: int) -> None:
        """Sends it a signal."""
        with suppress(OSError):  # it has just ended
            if self.process.stdin is None or number == signal.SIGKILL:
                self.process.send_signal(number)
            else:
                self.process.stdin.write(f"{int(number)}\n".encode())
                self.process.stdin.flush()

    def kill(self) -> None:
        """Ends it at once if it has not ended."""
        if self.process.poll() is None:
            self.tell(signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Ends it, and lets go of its files."""
        self.kill()
        for stream in (self.process.stdin, self._said):
            if stream is not None:
                with suppress(OSError):  # words that it did not read any more
                    stream.close()

    def last_words(self) -> list[str]:
        """The end of what it said to itself."""
        if self._said is None:
            return []
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 65536))
        return self._said.read().decode(errors="replace").splitlines()[-_TAIL:]


def run(members: Sequence[Member], orders: Callable[[], int] | None = None) -> int:
    """Starts processes, passes signals on to all of them, and waits for the last one.

    If one fails the others are told to end, by SIGTERM and `GRACE` seconds later by SIGKILL. One that left because it
    was told to has not failed: the others are saving what they have.

    Args:
        members: The processes.
        orders: Asked again and again for a signal to pass on; 0 is none.

    Returns:
        The exit code of the first process that ended with an error, 128+n if signal n ended it; else 0.
    """
    running: list[Member] = []
    with _noted() as signals:
        try:
            for member in members:
                member.start()
                running.append(member)
            return _watch(running, signals, orders)
        finally:
            for member in running:
                member.close()


def _watch(members: Sequence[Member], signals: list[int], orders: Callable[[], int] | None) -> int:
    running, first = list(members), 0
    deadline: float | None = None
    while running:
        if orders is not None and (number := orders()):
            signals.append(number)
        while signals:
            number = signals.pop(0)
            for member in running:
                member.tell(number)
        ended = [member for member in running if member.process.poll() is not None]
        running = [member for member in running if member not in ended]
        for member in ended:
            code = _code(member.process)
            first = first or code
            if code and code not in _LEFT and deadline is None:
                deadline = time.monotonic() + GRACE
                _report(member, code)
                for other in running:
                    other.tell(signal.SIGTERM)
        if deadline is not None and time.monotonic() > deadline:
            for member in running:
                member.kill()
        if not ended:
            time.sleep(_PACE)
    return first


def _report(member: Member, code: int) -> None:
    """Tells why a process failed that did not speak for itself."""
    words = member.last_words()
    for line in words:
        print(f"[{member.name}] {line}", file=sys.stderr)
    if code in member.meanings:
        print(f"rmldnn: error: {member.meanings[code]}", file=sys.stderr)
    elif member.process.returncode < 0:
        name = signal.Signals(-member.process.returncode).name
        cause = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        print(f"rmldnn: error: {member.title or member.name} was ended by {name}{cause}", file=sys.stderr)
    elif not words and not member.speaks:
        print(f"rmldnn: error: {member.title or member.name} ended with exit code {code}", file=sys.stderr)


def _code(process: subprocess.Popen[bytes]) -> int:
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


@contextmanager
def _noted() -> Iterator[list[int]]:
    """Collects signals instead of obeying them."""
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
