"""Shards on a server: fetched whole into a folder of this machine, once for all processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from rmldnn.data.http import AnswerError, ask
from rmldnn.data.shards.index import SUFFIX, Index, beside
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, DataError, Problem

DEFAULT_CACHE = "~/.cache/rmldnn/shards"

_CHUNK = 2**20
_MISSING = (403, 404, 410)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Cache:
    """A folder that keeps what was fetched.

    Args:
        folder: The folder; made when it is needed.
        limit: Bytes of tar files that it may hold; those used longest ago go first.
    """

    def __init__(self, folder: str | None = None, limit: int | None = None) -> None:
        self.folder = Path(folder or DEFAULT_CACHE).expanduser()
        self.limit = limit

    def place(self, url: str) -> Path:
        """Where a file of a server is kept. Credentials and other secrets of a URL are no part of the name."""
        name = re.sub(r"[^\w.-]", "_", os.path.basename(urlsplit(url).path))[-80:]  # noqa: PTH119 - a URL
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"

    def tar(self, url: str, index: Index | None) -> Path:
        """A tar file, fetched unless it is there.

        Args:
            url: Where from.
            index: Its index, if that is known: size and sum of checks are compared with it.

        Raises:
            DataError: The server does not have it, does not answer, or gives something else than the index says.
        """
        place = self.place(url)
        if not self._there(place, index):
            with self._lock(place):
                if not self._there(place, index):  # another process may have been quicker
                    self._fetch(url, place, index)
                    self._make_room(place)
        with suppress(FileNotFoundError):  # another process makes room
            os.utime(place, ns=(time.time_ns(), place.stat().st_mtime_ns))  # used now, unchanged
        return place

    def index(self, url: str) -> Path | None:
        """The index of a tar file, fetched unless it is there; None if the server has none.

        Raises:
            DataError: The server does not answer.
        """
        place = Path(beside(str(self.place(url))))
        if place.exists():
            return place
        with self._lock(place):
            if not place.exists() and not self._fetch(_index_url(url), place, None, optional=True):
                return None
        return place

    def _there(self, place: Path, index: Index | None) -> bool:
        try:
            size = place.stat().st_size
        except OSError:
            return False
        return index is None or index.tar_bytes == size

    @contextmanager
    def _lock(self, place: Path) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f".{place.name}.lock").open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # closing lets go
                yield
        except OSError as error:
            raise DataError(
                f"{self.folder}: cannot keep shards in this folder: {error.strerror or error}; choose another by "
                "`cache_path`, or bound what it holds by `cache_limit`"
            ) from error

    def _fetch(self, url: str, place: Path, index: Index | None, *, optional: bool = False) -> bool:
        def take(answer: HTTPResponse) -> None:
            with replacing(place) as partial:
                with partial.open("wb") as file:
                    size, digest = _copied(answer, file)
                if fault := _fault(size, digest, answer.headers.get("Content-Length"), index):
                    raise AnswerError(fault)

        return ask(url, take, accept=_MISSING if optional else ()) not in _MISSING

    def _make_room(self, newest: Path) -> None:
        """Removes tar files used longest ago. A process that reads one keeps it open, and is not disturbed."""
        if self.limit is None:
            return
        files = []
        for path in self.folder.glob("*.tar"):
            try:
                state = path.stat()
            except OSError:
                continue  # removed by another process
            files.append((path == newest, state.st_atime_ns, state.st_size, path))
        total = sum(size for _, _, size, _ in files)
        for is_newest, _, size, path in sorted(files):
            if total <= self.limit or is_newest:
                return
            path.unlink(missing_ok=True)
            total -= size


def bytes_of(text: str, key: str) -> int:
    """A size such as `200GB` in bytes.

    Args:
        text: What the user wrote.
        key: Where, for messages.

    Raises:
        ConfigError: It is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise ConfigError(Problem(key, f"must be a size such as 256MB, 2GB or 1.5GiB, got `{text}`"))
    return int(float(match[1]) * unit)


def _index_url(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=parts.path.removesuffix(".tar") + SUFFIX).geturl()


def _copied(answer: IO[bytes], file: IO[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _fault(size: int, digest: str, announced: str | None, index: Index | None) -> str:
    if announced is not None and announced.isdigit() and int(announced) != size:
        return f"{size} of {announced} bytes came"
    if index is not None and index.tar_bytes != size:
        return f"it has {size} bytes, but its index speaks of {index.tar_bytes}"
    if index is not None and index.sha256 not in (None, digest):
        return "its content is not that which its index speaks of (sha256)"
    return ""
