"""Sources whose samples lie in files: where they are, how large, and what they were when they were read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any

from rmldnn.data.source import Source
from rmldnn.errors import DataError

_REPAIR = "repair or remove it"


def ending_a_run(error: DataError) -> DataError:
    """The error of a sample that cannot be read, where the run ends with it: told how to go on without that sample."""
    way = f'{_REPAIR}, or leave such samples out by `"on_bad_sample": "skip"` in `data` (`rmldnn data` lists them all)'
    return DataError(str(error).replace(_REPAIR, way))


class Files(Source):
    """Samples in files below one folder; see `Source`.

    Attributes:
        start: What stands before the name of a sample: the folder as configured, with `/` at its end.
    """

    start: str = ""

    def locate(self, index: int) -> str:
        """The path of a sample."""
        return self.start + self.names[index]

    def files(self) -> Iterable[str]:
        """Paths of all files, each once."""
        return map(self.locate, range(len(self.names)))

    def facts(self) -> Any:
        """What samples depend on besides names and files: the user's keys."""
        return ()

    def encoded_bytes(self, limit: int) -> int:
        """Bytes of the files."""
        total = 0
        for file in self.files():
            if total > limit:
                break
            try:
                total += os.stat(file).st_size  # noqa: PTH116 - called for every file
            except OSError:
                continue  # told when it is read
        return total

    def fingerprint(self) -> str:
        """Of names, keys, and files."""
        return fingerprint(self.kind, self.meaning, list(self.names), self.facts(), files=self.files())


def fingerprint(*facts: Any, files: Iterable[str] = ()) -> str:
    """A text that differs wherever facts do, or names, sizes or times of files."""
    digest = hashlib.sha256(repr(facts).encode(errors="surrogateescape"))
    for file in files:
        try:
            state = os.stat(file)  # noqa: PTH116 - called for every file
            seen = f"{state.st_size} {state.st_mtime_ns}"
        except OSError:
            seen = "gone"
        digest.update(f"{file}\0{seen}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]
