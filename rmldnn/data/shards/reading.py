"""Reads members of shards at the places that their indexes say."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

from rmldnn.data.http import SCHEMES, shown
from rmldnn.data.shards import index as indexes
from rmldnn.data.shards.index import Index
from rmldnn.data.shards.remote import Cache
from rmldnn.errors import DataError

OPEN = 64
"""Shards that a process keeps open."""

_lock = threading.Lock()
"""Held for a few instructions on what is open. No process is forked meanwhile: its lock would stay closed for ever."""
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Shard:
    """One tar file with its index.

    Args:
        path: File or URL.
        cache: Where what is fetched is kept.
    """

    def __init__(self, path: str, cache: Cache) -> None:
        self.path = path
        self.remote = path.startswith(SCHEMES)
        self.name = shown(path) if self.remote else path
        self._cache = cache
        self.index = self._remote_index() if self.remote else self._local_index(path)

    def file(self) -> str:
        """The tar file on this machine, fetched if need be."""
        return str(self._cache.tar(self.path, self.index)) if self.remote else self.path

    def _remote_index(self) -> Index:
        place = self._cache.index(self.path)
        found = indexes.load(place) if place else None
        if found is not None:
            return found
        return self._local_index(str(self._cache.tar(self.path, None)))

    def _local_index(self, tar: str) -> Index:
        """The index beside a tar file or in the cache; made now if there is none, or only that of an older file."""
        try:
            state = os.stat(tar)  # noqa: PTH116
        except OSError as error:
            raise DataError(f"{self.name}: cannot read this shard: {error.strerror}") from None
        name = hashlib.sha256(os.path.abspath(tar).encode()).hexdigest()[:16]  # noqa: PTH100
        places = [
            Path(indexes.beside(tar)),
            self._cache.folder / f"{name}-{os.path.basename(tar)}{indexes.SUFFIX}",  # noqa: PTH119
        ]
        for place in places:
            found = indexes.load(place)
            if found is not None and found.fits(state):
                return found
        made = indexes.scan(tar, self.name)
        for place in places:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                made.save(place)
                break
            except OSError:
                continue  # a folder that is not to be written in; then in the cache, or nowhere
        return made


class Reader:
    """Reads from many shards, of which some are kept open. Several threads may read at once.

    Reading says where it reads, so that processes can share what their parent opened.

    Args:
        shards: What to read from.
    """

    def __init__(self, shards: list[Shard]) -> None:
        self.shards = shards
        self._open: OrderedDict[int, _File] = OrderedDict()

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """Bytes of a shard.

        Raises:
            DataError: They cannot be read.
        """
        name = self.shards[shard].name
        try:
            file = self._file(shard)
            data = os.pread(file.number, size, offset)
            while len(data) < size and (more := os.pread(file.number, size - len(data), offset + len(data))):
                data += more
        except OSError as error:
            raise DataError(f"{name}: cannot read this shard: {error.strerror}") from error
        if len(data) < size:
            raise DataError(
                f"{name}: cannot read this shard: it is cut short, it ends at byte {offset + len(data)}; fetch it "
                "again or write it anew"
            )
        return data

    def _file(self, shard: int) -> _File:
        with _lock:
            file = self._open.get(shard)
            if file is not None:
                self._open.move_to_end(shard)
                return file
        file = _File(self._opened(shard))  # without the lock, as it may have to be fetched
        with _lock:
            self._open[shard] = file
            self._open.move_to_end(shard)
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
        return file

    def _opened(self, shard: int) -> int:
        for last in (False, False, True):
            try:
                return os.open(self.shards[shard].file(), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # another process made room in the cache between fetching and opening
                if last:
                    raise
        raise AssertionError


class _File:
    """An open file, closed when nobody holds it any more: neither the reader, nor a thread that is about to read.

    Args:
        number: Its descriptor.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)
