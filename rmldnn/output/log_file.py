"""A text file that grows by whole rows, and goes on where an earlier run left off."""

from __future__ import annotations

import glob
import os
from contextlib import suppress
from pathlib import Path

from rmldnn.errors import ConfigError, Problem
from rmldnn.output.places import require_room, saving, writing


class LogFile:
    """A text file that holds whole rows only, even on a full disk.

    Either `begin` or `resume` is called before the first row.

    Args:
        path: The file; folders are made.
        head: Its first row.
        key: Where the configuration names it.
        needed: Bytes of all rows that it will have, as far as known.

    Raises:
        ConfigError: The file cannot be written, or there is no room for it.
    """

    def __init__(self, path: str, head: str = "", *, key: str, needed: int = 0) -> None:
        self.path = path
        self._key = key
        self._head = head
        with writing(path, key=key):
            folder, name = Path(path).parent, Path(path).name
            folder.mkdir(parents=True, exist_ok=True)
            require_room(folder, needed, key=key, what=f"rows of `{name}`", own=glob.escape(name))
            Path(path).touch()
            self._file = Path(path).open("r+b", buffering=0)  # noqa: SIM115 - open as long as the run

    @property
    def empty(self) -> bool:
        """Whether there is no row yet."""
        return self._file.tell() == 0

    def begin(self) -> None:
        """Forgets what an earlier run wrote.

        Raises:
            RmldnnError: The file cannot be written.
        """
        with saving(self.path):
            self._file.truncate(0)
            self._append(self._head)

    def resume(self, position: int) -> None:
        """Forgets what an earlier run wrote behind a position.

        Args:
            position: What `position` gave then.

        Raises:
            ConfigError: The file is shorter, is not there at all, or is another one, with no row that ends there.
            RmldnnError: The file cannot be written.
        """
        with saving(self.path):
            size = self._file.seek(0, os.SEEK_END)
            if size < position:
                found = (
                    f"has {size} bytes, not the {position}"
                    if size
                    else f"is missing or empty, not the {position} bytes"
                )
                message = f"cannot go on in `{self.path}`: it {found} that it had; put the file back, or start anew"
                raise ConfigError(Problem(self._key, message))
            if position:
                self._file.seek(position - 1)
                if self._file.read(1) != b"\n":
                    message = f"cannot go on in `{self.path}`: it is another file than it was, with no row that ends at"
                    message += f" byte {position}; put the file back, or start anew"
                    raise ConfigError(Problem(self._key, message))
            self._file.truncate(self._file.seek(position))

    def position(self) -> int:
        """How long the file is; up to there it is on the disk.

        Raises:
            RmldnnError: The file cannot be written.
        """
        with saving(self.path):
            os.fsync(self._file.fileno())
            return self._file.tell()

    def write(self, rows: str) -> None:
        """Writes rows, each with its line end.

        Raises:
            RmldnnError: They do not all fit; those that do are written.
        """
        with saving(self.path):
            self._append(rows)

    def close(self) -> None:
        """Closes the file."""
        with saving(self.path):
            self._file.close()

    def _append(self, rows: str) -> None:
        data, start, done = rows.encode(), self._file.tell(), 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError:
            with suppress(OSError):  # the failure to write is the one to tell
                self._file.truncate(self._file.seek(start + data.rfind(b"\n", 0, done) + 1))
            raise
