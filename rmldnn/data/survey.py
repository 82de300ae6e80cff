"""What there is in a set: shapes, types, values and classes; what cannot be read, and what is there twice."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.arrays import Arrays, channels_last
from rmldnn.data.pipeline import Shape
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Indices, Meaning, Source
from rmldnn.errors import DataError

_PIECE = 2**24
"""Bytes of an array that a thread looks at at a time."""
_AHEAD = 1024
"""Samples that are handed to the threads at a time."""
_MOST_CLASSES = 2**16


@dataclass(frozen=True)
class Values:
    """What numbers there are in each channel.

    Args:
        count: Numbers of a channel.
        low: The smallest, shape (C,).
        high: The largest.
        mean: Their mean.
        squares: The sum of the squares of their distances from it.
    """

    count: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @staticmethod
    def of(numbers: NDArray[Any]) -> Values:
        """Those of an array (C, n), which must be whole in memory to be quick."""
        exact = numbers.astype(np.float64)
        mean = exact.mean(1)
        exact -= mean[:, None]
        low, high = numbers.min(1).astype(np.float64), numbers.max(1).astype(np.float64)
        return Values(numbers.shape[1], low, high, mean, np.einsum("cn,cn->c", exact, exact))

    def merged(self, other: Values) -> Values:
        """Those of both, without the loss of digits that sums of squares would have."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return Values(
            count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
        )

    def scaled(self, factor: float) -> Values:
        """Those of all numbers times a factor greater than 0."""
        return Values(self.count, self.low * factor, self.high * factor, self.mean * factor, self.squares * factor**2)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation."""
        found: NDArray[np.float64] = np.sqrt(self.squares / self.count)
        return found


@dataclass
class Facts:
    """What the samples of one side of a set are like.

    Args:
        kind: The type of the source.
        noun: What the samples are called.
        meaning: What their numbers are.
        shapes: How many samples are of a shape (*spatial, C) and a type.
        values: Their numbers by the number of channels, integer pixels scaled to [0, 1]; none for classes.
        classes: How often each class index occurs: samples, or pixels.
    """

    kind: str
    noun: str
    meaning: Meaning
    shapes: Counter[tuple[Shape, str]] = field(default_factory=Counter)
    values: dict[int, Values] = field(default_factory=dict)
    classes: Counter[int] = field(default_factory=Counter)

    def add(self, seen: _Seen) -> None:
        """Adds one sample."""
        self.shapes[seen.shape, seen.dtype] += 1
        self.classes.update(seen.classes)
        if seen.values is not None:
            channels = len(seen.values.mean)
            known = self.values.get(channels)
            self.values[channels] = known.merged(seen.values) if known else seen.values


@dataclass
class Survey:
    """What there is in a set.

    Args:
        count: Samples of the set.
        seen: Samples looked at.
        inputs: What inputs are like.
        targets: What targets are like, if there are any.
        class_names: Names of the classes in the order of their indices, where they have some.
        faults: Samples that cannot be used, each with place and cause.
        unequal: Places of inputs whose class maps have another extent.
        places: Inputs by what their numbers are; those of a single value throughout are left out.
    """

    count: int
    seen: int
    inputs: Facts
    targets: Facts | None
    class_names: Sequence[str]
    faults: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    places: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def duplicates(self) -> list[list[str]]:
        """Places of inputs that are the same."""
        return [places for places in self.places.values() if len(places) > 1]

    def shared(self, other: Survey) -> list[list[str]]:
        """Places of inputs that are here and in another set."""
        return [places + other.places[digest] for digest, places in self.places.items() if digest in other.places]


@dataclass(frozen=True)
class _Seen:
    """One sample of one side; without its numbers."""

    shape: Shape
    dtype: str
    values: Values | None
    classes: Counter[int]
    digest: bytes
    finite: bool

    @property
    def constant(self) -> bool:
        return self.values is not None and bool((self.values.low == self.values.high).all())


def survey(dataset: Dataset, limit: int | None = None) -> Survey:
    """Looks at the samples of a set as they are stored, on all cores; no more than some MiB of each are in memory.

    Args:
        dataset: The set.
        limit: The most samples to look at, evenly chosen; all of them by default.
    """
    sides = [side.source for side in (dataset.inputs, dataset.targets) if side]
    indices = chosen(len(dataset), limit)
    facts = [Facts(source.kind, source.noun, source.meaning) for source in sides]
    found = Survey(len(dataset), len(indices), facts[0], facts[1] if len(facts) > 1 else None, dataset.classes)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        looks = pool.map(lambda index: [_look(source, index) for source in sides], indices.tolist())
        for index, seen in zip(indices.tolist(), looks, strict=True):
            for one, fact, source in zip(seen, facts, sides, strict=True):
                if isinstance(one, _Seen):
                    fact.add(one)
                    if not one.finite:
                        found.faults.append(
                            f"{source.locate(index)}: holds NaN or infinite numbers; repair or remove it"
                        )
                else:
                    found.faults.append(one)
            _compare(found, seen, sides[0].locate(index))
    return found


def chosen(count: int, limit: int | None) -> Indices:
    """Numbers of at most `limit` samples of `count`, evenly spread."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).astype(np.int64)


def _looks(sources: Sequence[Source], indices: Indices, pool: Executor) -> Iterator[tuple[int, Sequence[_Seen | str]]]:
    """Every sample of every side; few are waited for at a time, for there may be millions."""
    for start in range(0, len(indices), _AHEAD):
        some = indices[start : start + _AHEAD].tolist()
        yield from zip(some, pool.map(lambda index: [_look(source, index) for source in sources], some), strict=True)


def _compare(found: Survey, seen: Sequence[_Seen | str], place: str) -> None:
    """Compares an input with its target, and with all others."""
    first, last = seen[0], seen[-1]
    if not isinstance(first, _Seen):
        return
    if not first.constant:
        found.places[first.digest].append(place)
    maps = found.targets is not None and found.targets.meaning == "classes"
    if maps and isinstance(last, _Seen) and last.shape[:-1] and last.shape[:-1] != first.shape[:-1]:
        found.unequal.append(place)


def _look(source: Source, index: int) -> _Seen | str:
    """One sample, or why it cannot be read."""
    values: Values | None = None
    classes: Counter[int] = Counter()
    digest = hashlib.blake2b(digest_size=16)
    finite = True
    try:
        shape, dtype, pieces = _pieces(source, index)
        digest.update(repr((shape, dtype)).encode())
        for piece in pieces:
            digest.update(np.ascontiguousarray(piece).data)
            if source.meaning == "classes":
                classes.update(_counted(piece))
                continue
            flat = np.ascontiguousarray(np.moveaxis(piece, -1, 0)).reshape(piece.shape[-1], -1)
            if flat.dtype.kind == "f" and not np.isfinite(flat).all():
                finite, flat = False, flat[:, np.isfinite(flat).all(0)]
            if flat.size:
                here = Values.of(flat)
                values = values.merged(here) if values else here
    except DataError as error:
        return str(error)
    if values is not None and source.meaning == "pixels" and np.dtype(dtype).kind in "iu":
        values = values.scaled(1 / np.iinfo(dtype).max)
    return _Seen(shape, dtype, values, classes, digest.digest(), finite)


def _pieces(source: Source, index: int) -> tuple[Shape, str, Iterator[NDArray[Any]]]:
    """Shape and type of a sample, and its numbers (*spatial, C), in pieces where it is a large array in a file."""
    stored = source.stored(index) if isinstance(source, Arrays) else None
    if not isinstance(source, Arrays) or stored is None or _size(stored) <= _PIECE:
        sample = np.asarray(source.take(np.array([index]))[0])
        return tuple(sample.shape), str(sample.dtype), iter([sample if sample.ndim else sample[None]])
    channel = {"first": 0, "last": len(stored.shape) - 1, "none": -1}[source.channels]
    extents = [0 if axis == channel else extent for axis, extent in enumerate(stored.shape)]
    axis = int(np.argmax(extents))
    step = max(1, extents[axis] * _PIECE // _size(stored))
    shape = list(stored.shape)
    shape.append(shape.pop(channel) if channel >= 0 else 1)
    windows = (
        tuple(slice(start, start + step) if at == axis else slice(None) for at in range(len(extents)))
        for start in range(0, extents[axis], step)
    )
    return tuple(shape), str(stored.dtype), (channels_last(stored[window], source.channels) for window in windows)


def _size(stored: Any) -> int:
    return int(np.prod(stored.shape, dtype=object)) * int(np.dtype(stored.dtype).itemsize)


def _counted(indices: NDArray[Any]) -> dict[int, int]:
    """How often each number occurs."""
    flat = indices.ravel()
    if flat.dtype.kind == "b":
        flat = flat.astype(np.uint8)
    if flat.min() >= 0 and flat.max() < _MOST_CLASSES:
        counts = np.bincount(flat)
        return {int(number): int(counts[number]) for number in np.flatnonzero(counts)}
    numbers, times = np.unique(flat, return_counts=True)
    return dict(zip(numbers.tolist(), times.tolist(), strict=True))
