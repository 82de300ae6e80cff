"""Who may append to the journal of a study: a lock that the system takes from a worker that was killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """Keeps other workers from the journal, and removes half a line that one has left who was killed as it wrote.

    Optuna's own locks are files, which stay behind with such a worker, and half a line spoils what is appended to it.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._handle = -1

    def acquire(self) -> bool:
        """Waits until the journal is this worker's own."""
        self._handle = os.open(self._journal.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        if self._journal.exists() and not _ends_with_a_line(self._journal):
            os.truncate(self._journal, self._journal.read_bytes().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Lets others have it."""
        os.close(self._handle)


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
