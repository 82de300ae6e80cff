"""A file for HDF5 to write into."""

from __future__ import annotations

import io
from typing import Any


class Disk(io.FileIO):
    """A file that keeps its failure until it is asked: HDF5 loses it, or crashes, when it closes such a file."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Writes all of the data, or nothing more after a failure."""
        rest = memoryview(data)
        try:
            while rest.nbytes and not self.failure:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Sets the size."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        """Raises the first failure, if there was one."""
        if self.failure:
            raise self.failure
