"""Files that are there entirely or not at all, that tell when the disk is full, and what their names are near to."""

from __future__ import annotations

import difflib
import errno
import hashlib
import io
import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHUNK = 2**22
_DIGITS = re.compile(r"\d")
_MANY = 1000
"""Names of a folder that are looked at for the one that was meant."""


def absent(path: str) -> str:
    """`... does not exist`, with the name that was meant, if one of the folder is near, or where paths begin."""
    fault, meant = f"`{path}` does not exist", near(path)
    if meant:
        return f"{fault}; did you mean `{meant}`?"
    return f"{fault}; paths are relative to the working directory, `{Path.cwd()}`"


def near(path: str) -> str | None:
    """The path with its first name that is not there replaced by the nearest one that is; None if nothing is near."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        above = "/".join(parts[:place]) or ("/" if place else ".")
        if part in ("", ".", "..") or Path(above, part).exists():
            continue
        try:
            with os.scandir(above) as entries:
                names = [entry.name for entry in itertools.islice(entries, _MANY)]
        except OSError:
            return None
        for near in difflib.get_close_matches(part, names, n=3):
            there = "/".join((*parts[:place], near, *parts[place + 1 :]))
            if Path(there).exists() and _DIGITS.sub("", part) != _DIGITS.sub("", near):  # files with numbers are alike
                return there
        return None
    return None


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A file beside another one, which takes its place when all is written and on the disk."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    os.close(handle)
    partial = Path(temporary)
    try:
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.chmod(0o666 & ~_umask())  # mkstemp makes files for the owner's eyes only
        partial.replace(file)
        sync(file.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Brings the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems keep names in their own way
            raise
    finally:
        os.close(handle)


def lockable(file: Path) -> int:
    """Opens a file that is there to be locked (`flock`), made if need be; whoever shares the folder may lock it too."""
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def reason(error: Exception, folder: Path) -> str:
    """Why something could not be written to a folder, in a few words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on `{folder}`"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]


class Disk(io.FileIO):
    """A file that keeps its failure until it is asked.

    HDF5 loses it, or crashes on closing such a file; torch tells where its own code noticed, and not what was wrong.
    """

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
