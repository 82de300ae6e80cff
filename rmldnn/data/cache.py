"""Decoded samples kept in a file, for data that does not fit into memory."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.memory import rows
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import Kept, fixed_part, read_all
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.disk import replacing
from rmldnn.errors import RmldnnError


class Cached(Kept):
    """The samples of another source, in a file; see `Source`.

    Args:
        source: Where the samples came from.
        data: The file with the numbers of one sample behind those of another.
        index: Where each sample is in it, its shape and type; why it could not be read, if it could not.
    """

    def __init__(self, source: Source, data: Path, index: dict[str, Any]) -> None:
        super().__init__(source, {int(place): cause for place, cause in index["faults"].items()})
        self._kinds: list[tuple[tuple[int, ...], np.dtype[Any]]] = [
            (tuple(shape), np.dtype(dtype)) for shape, dtype in index["kinds"]
        ]
        self._kind = np.array(index["kind"], dtype=np.int64)
        self._offsets = np.array(index["offsets"], dtype=np.int64)
        self._data = np.memmap(data, np.uint8, "r") if data.stat().st_size else np.empty(0, np.uint8)
        shape, dtype = self._kinds[0]
        uniform = len(self._kinds) == 1 and not self.faults
        self._block = self._data.view(dtype).reshape(-1, *shape) if uniform else None

    def take(self, indices: Indices) -> Samples:
        """Copies the samples at `indices` into one array, or lists them where shapes differ."""
        self.refuse(indices)
        if self._block is not None:
            return rows(self._block, indices)
        return [self._sample(index) for index in indices.tolist()]

    def _sample(self, index: int) -> NDArray[Any]:
        shape, dtype = self._kinds[self._kind[index]]
        start = int(self._offsets[index])
        end = start + int(np.prod(shape)) * dtype.itemsize
        return np.frombuffer(self._data[start:end].tobytes(), dtype).reshape(shape)


def on_disk(pipeline: Pipeline, folder: str, *, skip_bad: bool = False) -> Pipeline:
    """Reads all samples once, as `in_memory` does, and keeps them in a file for this run and later ones.

    The file is used again as long as names, sizes and times of the samples' files and the transforms in front of the
    first random one are what they were. Several processes may ask at once; one of them reads.

    Args:
        pipeline: What gives the samples.
        folder: Where the file goes; made if it does not exist.
        skip_bad: Whether samples that cannot be read are left out, and told when they are wanted.

    Raises:
        DataError: A sample cannot be read.
        RmldnnError: The file cannot be written.
    """
    reader, rest = fixed_part(pipeline)
    name = _fingerprint(reader)
    data, index = Path(folder, f"{name}.data"), Path(folder, f"{name}.json")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with _alone(Path(folder, f"{name}.lock")):
            if not (index.is_file() and data.is_file()):
                _write(reader, data, index, skip_bad)
        found = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise RmldnnError(
            f"cannot write decoded samples to `{folder}` (`data.cache`): {error.strerror or error}; make room, or "
            "leave `cache` out"
        ) from error
    if found["faults"] and not skip_bad:
        raise Cached(pipeline.source, data, found).fault(min(map(int, found["faults"])))
    return replace(pipeline, source=Cached(pipeline.source, data, found), steps=rest)


def _write(reader: Pipeline, data: Path, index: Path, skip_bad: bool) -> None:
    kinds: dict[tuple[tuple[int, ...], str], int] = {}
    kind, offsets, faults = [], [], {}
    position = 0
    with replacing(data) as partial, partial.open("wb") as file:
        for place, sample in enumerate(read_all(reader, skip_bad=skip_bad)):
            offsets.append(position)
            if isinstance(sample, str):
                kind.append(0)
                faults[place] = sample
                continue
            numbers = np.ascontiguousarray(sample)
            kind.append(kinds.setdefault((numbers.shape, numbers.dtype.str), len(kinds)))
            file.write(numbers.data if numbers.size else b"")
            position += numbers.nbytes
    with replacing(index) as partial:
        facts = {"kinds": list(kinds), "kind": kind, "offsets": offsets, "faults": faults}
        partial.write_text(json.dumps(facts), encoding="utf-8")


def _fingerprint(reader: Pipeline) -> str:
    """Of all that decoded samples depend on."""
    source = reader.source
    digest = hashlib.sha256()
    own = {key: value for key, value in vars(source).items() if isinstance(value, str | int | bool | list | tuple)}
    own.pop("names", None)
    steps = [[type(step).__name__, str(step)] for _, step in reader.steps]
    digest.update(json.dumps([source.kind, own, steps, repr(reader.part)], default=repr).encode())
    for place, name in enumerate(source.names):
        path = Path(source.locate(place))
        while not path.exists() and path != path.parent:  # samples inside of files
            path = path.parent
        stat = os.stat(path)  # noqa: PTH116 - once for every sample
        digest.update(f"{name}\0{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Lets one process in at a time."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
