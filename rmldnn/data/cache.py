"""Decoded samples kept in a file, for data that does not fit into memory."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.files import fingerprint
from rmldnn.data.memory import rows
from rmldnn.data.pipeline import Pipeline, Shape
from rmldnn.data.preload import Kept, fixed_part, read_all
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.disk import replacing
from rmldnn.errors import RmldnnError

_log = logging.getLogger("rmldnn")


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


def on_disk(pipeline: Pipeline, folder: str, name: str, *, skip_bad: bool = False) -> Pipeline:
    """Reads all samples once, as `in_memory` does, and keeps them in a file for this run and later ones.

    The file is used again as long as the samples (`Source.fingerprint`) and the transforms in front of the first random
    one are what they were; when another one is written, the log names those that are left. Several processes may ask at
    once; one of them reads.

    Args:
        pipeline: What gives the samples.
        folder: Where the file goes; made if it does not exist.
        name: What the samples are among those of a run: `training`.
        skip_bad: Whether samples that cannot be read are left out, and told when they are wanted.

    Raises:
        DataError: A sample cannot be read.
        RmldnnError: The file cannot be written.
    """
    reader, rest = fixed_part(pipeline)
    steps = [(type(step).__name__, str(step)) for _, step in reader.steps]
    start = f"{name}-{reader.part.role}"
    stem = f"{start}-{fingerprint(reader.source.fingerprint(), steps, reader.part, reader.compared)}"
    data, index = Path(folder, f"{stem}.data"), Path(folder, f"{stem}.json")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with _alone(Path(folder, f"{stem}.lock")):
            if not (index.is_file() and data.is_file()):
                _write(reader, data, index, skip_bad)
                _tell_others(data, start)
        found = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise RmldnnError(
            f"cannot write decoded samples to `{folder}` (`data.cache`): {error.strerror or error}; make room, or "
            "leave `cache` out"
        ) from error
    if found["faults"] and not skip_bad:
        raise Cached(pipeline.source, data, found).fault(min(map(int, found["faults"])))
    extents = {int(place): tuple(extent) for place, extent in found["extents"].items()}
    applied = [step for _, step in reader.steps]
    return replace(pipeline, source=Cached(pipeline.source, data, found), steps=rest, extents=extents, applied=applied)


def _write(reader: Pipeline, data: Path, index: Path, skip_bad: bool) -> None:
    kinds: dict[tuple[tuple[int, ...], str], int] = {}
    kind, offsets, faults = [], [], {}
    extents: dict[int, Shape] = {}
    position = 0
    with replacing(data) as partial, partial.open("wb") as file:
        for place, sample in enumerate(read_all(reader, extents, skip_bad=skip_bad)):
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
        facts = {"kinds": list(kinds), "kind": kind, "offsets": offsets, "faults": faults, "extents": extents}
        partial.write_text(json.dumps(facts), encoding="utf-8")


def _tell_others(data: Path, start: str) -> None:
    """Names the files of the same side and set, which other data or transforms have left."""
    others = sorted(other for other in data.parent.glob(f"{start}-*.data") if other != data)
    if others:
        size = sum(other.stat().st_size for other in others) / 2**20
        _log.info(
            f"`{data.parent}` also holds {size:,.0f} MiB of other data or transforms in files `{start}-*`; if no other "
            f"run reads them, remove all but `{data.stem}`"
        )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Lets one process in at a time."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
