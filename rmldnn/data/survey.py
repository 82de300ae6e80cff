"""What there is in a set: shapes, types, values and classes; what cannot be read, and what is there twice."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.arrays import Arrays, channels_last
from rmldnn.data.boxes import NONE
from rmldnn.data.pipeline import Shape
from rmldnn.data.rows import Rows
from rmldnn.data.sets import Dataset, Request
from rmldnn.data.slices import Sliced
from rmldnn.data.source import Indices, Meaning, Source
from rmldnn.errors import DataError

_PIECE = 2**24
"""Bytes of an array that a thread looks at at a time."""
_AHEAD = 1024
"""Samples that are handed to the threads at a time."""
_MOST_CLASSES = 2**16
_MOST_KINDS = 64
"""Shapes and types of samples of which one each is transformed, to see whether they fit together."""


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
        classes: How often each class index occurs: samples, pixels, or boxes.
        first: Where each class index occurs first.
    """

    kind: str
    noun: str
    meaning: Meaning
    shapes: Counter[tuple[Shape, str]] = field(default_factory=Counter)
    values: dict[int, Values] = field(default_factory=dict)
    classes: Counter[int] = field(default_factory=Counter)
    first: dict[int, str] = field(default_factory=dict)

    def add(self, seen: _Seen, place: str) -> None:
        """Adds one sample, which lies at a place."""
        self.shapes[seen.shape, seen.dtype] += 1
        self.classes.update(seen.classes)
        for index in seen.classes:
            self.first.setdefault(index, place)
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
        misfits: Why samples, transformed, cannot be in one batch.
        doubts: What may be wrong with arrays that can be read.
        unequal: Inputs whose class maps have, transformed, another extent: places and extents as stored.
        distorted: Inputs whose class maps have other proportions, but transformed the same extent: as `unequal`.
        places: Inputs by what their numbers are; those of a single value throughout are left out.
    """

    count: int
    seen: int
    inputs: Facts
    targets: Facts | None
    class_names: Sequence[str]
    faults: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    distorted: list[str] = field(default_factory=list)
    places: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def duplicates(self) -> list[list[str]]:
        """Places of inputs that are the same."""
        return [places for places in self.places.values() if len(places) > 1]

    def shared(self, other: Survey) -> list[list[str]]:
        """Places of inputs that are here and in another set."""
        return [places + other.places[digest] for digest, places in self.places.items() if digest in other.places]


_Kind: TypeAlias = tuple[int, tuple[tuple[Shape, str], ...]]
"""The group of a sample, and shape and type of its input and its target."""


@dataclass(frozen=True)
class _Seen:
    """One sample of one side; without its numbers."""

    shape: Shape
    dtype: str
    values: Values | None
    classes: Counter[int]
    digest: bytes
    size: int
    strange: int
    """Numbers that are not finite."""

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
    kinds: dict[_Kind, list[str]] = {}
    firsts: dict[_Kind, int] = {}
    ends = np.cumsum(sides[0].groups)
    maps = len(sides) > 1 and sides[1].meaning == "classes"
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for index, seen in _looks(sides, indices, pool):
            places = [source.locate(index) for source in sides]
            faults = [fault for one, place in zip(seen, places, strict=True) if (fault := _fault(one, place))]
            found.faults += dict.fromkeys(faults)  # a file may be input and target
            for one, fact, place in zip(seen, facts, places, strict=True):
                if isinstance(one, _Seen):
                    fact.add(one, place)
            if isinstance(seen[0], _Seen) and not seen[0].constant:
                found.places[seen[0].digest].append(places[0])
            if not faults:
                group = int(np.searchsorted(ends, index, side="right"))
                kind = group, tuple((one.shape, one.dtype) for one in seen if isinstance(one, _Seen))
                if kind in firsts or len(firsts) < _MOST_KINDS:
                    firsts.setdefault(kind, index)
                    kinds.setdefault(kind, []).extend(_different(seen, places) if maps else ())
    _try(dataset, firsts, kinds, found)
    found.doubts += dict.fromkeys(doubt for source in sides for doubt in _doubts(source, indices))
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


def _doubts(source: Source, indices: Indices) -> Iterator[str]:
    """What may be wrong with arrays, or those that samples are parts of."""
    whole = source.arrays if isinstance(source, Sliced) else source.whole if isinstance(source, Rows) else source
    if isinstance(whole, Arrays):
        yield from filter(None, map(whole.doubt, indices.tolist() if whole is source else range(len(whole.names))))


def _fault(seen: _Seen | str, place: str) -> str:
    """Why a sample cannot be used; empty if it can."""
    if isinstance(seen, str):
        return seen
    if not seen.strange:
        return ""
    return (
        f"{place}: {seen.strange} of {seen.size} values are not a number or infinite; repair the file, for instance by "
        "putting a number in their place, or remove it"
    )


def _different(seen: Sequence[_Seen | str], places: Sequence[str]) -> list[str]:
    """An input and its map, if they differ in extent."""
    one, other = seen[0], seen[-1]
    if not isinstance(one, _Seen) or not isinstance(other, _Seen) or other.shape[:-1] in ((), one.shape[:-1]):
        return []
    extents = [" x ".join(map(str, shape[:-1])) for shape in (one.shape, other.shape)]
    return [f"{places[0]} is {extents[0]}, {places[-1]} is {extents[1]}"]


def _distorted(one: Shape, other: Shape) -> bool:
    """Whether no scale makes an extent the other one, but for rounding to whole pixels."""
    if len(one) != len(other) or 0 in (*one, len(one)):
        return False
    scale = max(other) / one[other.index(max(other))]
    return any(abs(extent * scale - wanted) > 1 for extent, wanted in zip(one, other, strict=True))


def _try(dataset: Dataset, firsts: Mapping[_Kind, int], kinds: Mapping[_Kind, list[str]], found: Survey) -> None:
    """Transforms the first sample of every kind, and looks whether it fits its target, and the first of its group."""
    leads: dict[int, int] = {}
    misfits: dict[tuple[int, str], str] = {}  # one for each side of each group tells enough
    for kind, index in firsts.items():
        group = kind[0]
        lead = leads.setdefault(group, index)
        extents = []
        for side in filter(None, (dataset.inputs, dataset.targets)):
            try:
                extents.append(side.gather(np.unique([lead, index]), seed=0, epoch=1).shape[1:-1])
            except DataError as error:
                misfits.setdefault((group, side.part.role), str(error))
        try:
            if len(extents) > 1:
                dataset.gather(Request(np.array([index]), 1, 0, 1, 0, 1))
        except DataError as error:
            misfits.setdefault((group, "both"), str(error))
        if not (len(extents) > 1 and extents[1] in ((), extents[0])):
            found.unequal += kinds[kind]
        elif _distorted(*(shape[:-1] for shape, _ in kind[1])):
            found.distorted += kinds[kind]
    found.misfits += dict.fromkeys(misfits.values())  # a file may be input and target


def _look(source: Source, index: int) -> _Seen | str:
    """One sample, or why it cannot be read."""
    if source.meaning == "boxes":
        return _look_at_boxes(source, index)
    values: Values | None = None
    classes: Counter[int] = Counter()
    digest = hashlib.blake2b(digest_size=16)
    size = strange = 0
    try:
        shape, dtype, pieces = _pieces(source, index)
        digest.update(repr((shape, dtype)).encode())
        for piece in pieces:
            digest.update(np.ascontiguousarray(piece).data)
            if source.meaning == "classes":
                classes.update(_counted(piece))
                continue
            flat = np.ascontiguousarray(np.moveaxis(piece, -1, 0)).reshape(piece.shape[-1], -1)
            size += flat.size
            if flat.dtype.kind == "f" and not (finite := np.isfinite(flat)).all():
                strange += flat.size - int(finite.sum())
                flat = flat[:, finite.all(0)]
            if flat.size:
                here = Values.of(flat)
                values = values.merged(here) if values else here
    except DataError as error:
        return str(error)
    if values is not None and source.meaning == "pixels" and np.dtype(dtype).kind in "iu":
        values = values.scaled(1 / np.iinfo(dtype).max)
    return _Seen(shape, dtype, values, classes, digest.digest(), size, strange)


def _look_at_boxes(source: Source, index: int) -> _Seen | str:
    """The boxes of a picture; their shape is their number, and four."""
    try:
        rows = np.asarray(source.take(np.array([index]))[0])[1:]
    except DataError as error:
        return str(error)
    classes = Counter(rows[rows[:, 0] > NONE, 0].astype(int).tolist())
    digest = hashlib.blake2b(rows.tobytes(), digest_size=16).digest()
    return _Seen((len(rows), rows.shape[1] - 1), str(rows.dtype), None, classes, digest, rows.size, 0)


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
