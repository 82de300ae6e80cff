"""Writes shards: tar files whose bytes depend on nothing but the samples, each with its index."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from rmldnn.data.shards.index import CLASS, Column, Described, Index, beside, load
from rmldnn.disk import replacing
from rmldnn.errors import DataError, RmldnnError

_BLOCK = 512
_END = 10240
"""Tar files are filled up to a multiple of this."""


class Writer:
    """Writes the shards of one set; nothing stands under its final name before it is whole.

    Args:
        folder: Where.
        which: What their names begin with: `train`.
        shard_bytes: Size of a shard, which only a single sample exceeds.
        sides: What the sides of the samples are.
        first: Number of the first shard.
    """

    def __init__(
        self, folder: Path, which: str, shard_bytes: int, sides: Mapping[str, Described], first: int = 0
    ) -> None:
        self.count = first
        """Number of shards that are whole."""
        self._folder = folder
        self._which = which
        self._limit = shard_bytes
        self._sides = sides
        self._open: _Shard | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Finishes the last shard, or drops it if there was an error."""
        if kind is None:
            self.finish()
            return
        with suppress(OSError):  # what has gone wrong already is what matters
            if self._open is not None:
                self._open.close()
        with suppress(OSError, kind):
            self._stack.__exit__(kind, error, trace)

    def write(self, key: str, members: Mapping[str, bytes]) -> None:
        """Adds a sample.

        Args:
            key: Its name.
            members: Suffixes and bytes.

        Raises:
            RmldnnError: The disk is full, or not to be written on.
        """
        size = sum(_BLOCK + -(-len(data) // _BLOCK) * _BLOCK for data in members.values())
        if self._open and self._open.keys and self._open.size + size + _END > self._limit:
            self.finish()
        path = self._folder / shard_name(self._which, self.count)
        try:
            if self._open is None:
                partial = self._stack.enter_context(replacing(path))
                self._open = _Shard(self._stack.enter_context(partial.open("wb")))
            self._open.add(key, members)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def finish(self) -> None:
        """Gives the shard that is being written its name, and writes its index."""
        if self._open is None:
            return
        path = self._folder / shard_name(self._which, self.count)
        shard, self._open = self._open, None
        try:
            with self._stack:  # closes the file, then gives it its name
                shard.close()
            index = shard.index({role: asdict(side) for role, side in self._sides.items()})
            index.save(Path(beside(str(path))))
        except OSError as error:
            raise _cannot_write(path, error) from error
        self.count += 1


class _Shard:
    """A tar file in the making."""

    def __init__(self, stream: IO[bytes]) -> None:
        import webdataset  # imports torch

        self.keys: list[str] = []
        self._stream = _Hashing(stream)
        self._tar = webdataset.TarWriter(
            self._stream, user="", group="", mode=0o644, mtime=0, encoder=False, compress=False, format="PAX_FORMAT"
        )
        self._members: list[dict[str, tuple[int, int]]] = []
        self._classes: list[str] = []

    @property
    def size(self) -> int:
        return int(self._tar.tarstream.offset)

    def add(self, key: str, members: Mapping[str, bytes]) -> None:
        places = {}
        for suffix, data in members.items():
            self._tar.write({"__key__": key, suffix: data})
            self._tar.tarstream.members = []  # which tarfile would keep all of
            places[suffix] = (self.size - -(-len(data) // _BLOCK) * _BLOCK, len(data))
        self.keys.append(key)
        self._members.append(places)
        if CLASS in members:
            self._classes.append(members[CLASS].decode())

    def close(self) -> None:
        self._tar.close()

    def index(self, sides: Mapping[str, Mapping[str, Any]]) -> Index:
        columns = {}
        for suffix in sorted(set().union(*self._members)):
            places = [sample.get(suffix, (-1, 0)) for sample in self._members]
            columns[suffix] = Column([offset for offset, _ in places], [size for _, size in places])
        return Index(
            self._stream.size, self.keys, columns, self._classes, sha256=self._stream.hash.hexdigest(), sides=sides
        )


class _Hashing:
    """A stream that keeps the sum of checks of what is written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self._stream = stream

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self._stream.write(data)


def shard_name(which: str, number: int) -> str:
    """`train-000003.tar`."""
    return f"{which}-{number:06}.tar"


def whole_shards(folder: Path, which: str) -> list[Index]:
    """The indexes of the shards of a set that are whole, from the first to the one before the first that is not."""
    found: list[Index] = []
    while True:
        path = folder / shard_name(which, len(found))
        index = load(Path(beside(str(path))))
        if index is None or not path.is_file() or not index.fits(path.stat()):
            return found
        found.append(index)


def pattern(folder: str, which: str, count: int) -> str:
    """What names all shards of a set: `shards/train-{000000..000003}.tar`."""
    name = shard_name(which, 0) if count == 1 else f"{which}-{{{0:06}..{count - 1:06}}}.tar"
    return os.path.join(folder, name)  # noqa: PTH118 - text for a configuration


def _cannot_write(path: Path, error: OSError) -> RmldnnError:
    kind = DataError if isinstance(error, FileNotFoundError) else RmldnnError
    return kind(
        f"{path}: cannot write this shard: {error.strerror or error}; what is whole stays, and the same command "
        "continues there once there is room"
    )
