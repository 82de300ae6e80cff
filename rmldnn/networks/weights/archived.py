"""The HDF5 file in a `.keras` archive, read where it lies."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

MEMBER = "model.weights.h5"
"""What Keras calls the file."""
_HEADER = 30
"""Bytes before a member's name and extra field, whose lengths are the last four of them."""


def member(file: Path, archive: zipfile.ZipFile, stack: ExitStack) -> IO[bytes]:
    """The weights of an archive as a file in which one may jump about.

    Keras stores them as they are; an archive that somebody compressed is unpacked into a file without a name.

    Args:
        file: The archive.
        archive: The same, open.
        stack: Closes what is opened here.
    """
    info = archive.getinfo(MEMBER)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        whole = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
        stack.callback(whole.close)
        with archive.open(info) as packed:
            shutil.copyfileobj(packed, whole)
        return whole
    stream = stack.enter_context(file.open("rb"))
    stream.seek(info.header_offset)
    header = stream.read(_HEADER)
    start = (
        info.header_offset + _HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:], "little")
    )
    return io.BufferedReader(_Window(stream, start, info.file_size))


class _Window(io.RawIOBase):
    """A part of a file, as a file.

    Args:
        stream: The file.
        start: Where the part starts.
        size: How long it is.
    """

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._stream = stream
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Reads what fits."""
        length = max(0, min(len(buffer), self._size - self._position))
        self._stream.seek(self._start + self._position)
        data = self._stream.read(length)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
