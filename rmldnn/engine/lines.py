"""Connections that a library keeps to other processes, to be cut once one of those is gone.

Gloo waits half an hour for a process that hangs, in threads of its own too, and nothing can talk it out of that. If its
lines are cut, whatever waits fails at once, and the run ends as it would if that process had been killed.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OPEN = Path("/dev/fd")


class Lines:
    """The connections of a library, as far as they are open."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Counts sockets that are opened inside among them."""
        before = set(_sockets())
        yield
        self._known |= set(_sockets()) - before

    def cut(self) -> None:
        """Ends all of them, so that who waits at one of their ends fails; what was closed before stays as it is."""
        for inode, number in _sockets().items():
            if inode in self._known:
                with suppress(OSError), socket.socket(fileno=os.dup(number)) as line:
                    line.getpeername()  # one that listens has none, and Gloo would not survive its end
                    line.shutdown(socket.SHUT_RDWR)


def _sockets() -> dict[int, int]:
    """Descriptors of open sockets by inode, which no other socket has while it is open."""
    found = {}
    for number in [int(path.name) for path in _OPEN.iterdir()] if _OPEN.is_dir() else ():
        with suppress(OSError):  # that of this very list is closed
            facts = os.fstat(number)
            if stat.S_ISSOCK(facts.st_mode):
                found[facts.st_ino] = number
    return found
