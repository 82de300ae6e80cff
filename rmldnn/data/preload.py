"""Samples read once and kept in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.arrays import Arrays, ChannelAxis, Stored, relieve
from rmldnn.data.files import ending_a_run
from rmldnn.data.memory import rows
from rmldnn.data.pipeline import Pipeline, Shape
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.data.transform import SampleTransform
from rmldnn.errors import DataError

_CHUNK = 16
"""Samples that a thread reads at a time."""
_AHEAD = 4
"""Chunks that wait for each thread, at most."""
_WAITING = 2**28
"""Bytes of all that waits, judged by the largest sample so far."""


class Kept(Source):
    """The samples of another source, which were read before; see `Source`.

    Args:
        source: Where the samples came from.
        faults: Why samples could not be read, by index.
    """

    def __init__(self, source: Source, faults: Mapping[int, str]) -> None:
        self.kind = source.kind
        self.noun = source.noun
        self.names = source.names
        self.meaning = source.meaning
        self.groups = source.groups
        self.blocks = source.blocks
        self.num_classes = getattr(source, "num_classes", 0)
        self.source = source
        self.faults = faults

    def refuse(self, indices: Indices) -> None:
        """Refuses samples that could not be read.

        Raises:
            DataError: One of them could not.
        """
        if self.faults:
            for index in indices.tolist():
                if index in self.faults:
                    raise self.fault(index)

    def fault(self, index: int) -> DataError:
        """The error of a sample that could not be read."""
        return DataError(self.faults[index])

    def locate(self, index: int) -> str:
        """Where the sample was read."""
        return self.source.locate(index)

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002 - nothing is left to decode
        """None."""
        return 0

    def fingerprint(self) -> str:
        """Of the samples as they were read."""
        return self.source.fingerprint()


class Preloaded(Kept):
    """The samples of another source, in memory; see `Source`.

    Args:
        source: Where the samples came from.
        samples: One array with a leading axis, or a list of arrays where shapes differ.
        faults: Why samples could not be read, by index.
    """

    def __init__(self, source: Source, samples: Samples, faults: Mapping[int, str] | None = None) -> None:
        super().__init__(source, faults or {})
        self.samples = samples

    def take(self, indices: Indices) -> Samples:
        """Copies the samples at `indices` into one array, or lists them where shapes differ."""
        self.refuse(indices)
        if isinstance(self.samples, np.ndarray):
            return rows(self.samples, indices)
        return [self.samples[index] for index in indices.tolist()]


class Held(Arrays):
    """Arrays of another source, in memory; see `Source`. Slices are cut out of them.

    Args:
        arrays: Where they come from.
        held: All of them, as they are stored.
    """

    def __init__(self, arrays: Arrays, held: Sequence[Stored]) -> None:
        self.kind = arrays.kind
        self.noun = arrays.noun
        self.arrays = arrays
        self.held = held
        super().__init__(arrays.side, arrays.names, arrays.channel_axis)

    def open(self, index: int) -> Stored:
        """The array."""
        return self.held[index]

    def doubt(self, index: int) -> str:
        """What may be wrong with its file."""
        return self.arrays.doubt(index)

    def usual_channels(self, stored: Stored) -> ChannelAxis:
        """Where they are in its file."""
        return self.arrays.usual_channels(stored)

    def locate(self, index: int) -> str:
        """Where the array was read."""
        return self.arrays.locate(index)

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002 - nothing is left to read
        """None."""
        return 0

    def fingerprint(self) -> str:
        """Of the arrays as they were read."""
        return self.arrays.fingerprint()


def arrays_in_memory(arrays: Arrays, *, skip_bad: bool = False) -> Held:
    """Reads whole arrays on all cores, so that slices of them are only copied; they lie in memory once, however many.

    Args:
        arrays: What gives them.
        skip_bad: Whether arrays that cannot be read are told when slices of them are wanted.

    Raises:
        DataError: An array cannot be read.
    """

    def read(index: int) -> Stored:
        try:
            stored = arrays.stored(index)
            array: NDArray[Any] = stored[...]
            relieve([stored])
        except DataError:
            if not skip_bad:
                raise
            return stored
        return array.astype(np.float32) if array.dtype == np.float64 else array  # as samples have it

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return Held(arrays, list(pool.map(read, range(len(arrays.names)))))


def in_memory(pipeline: Pipeline, *, skip_bad: bool = False) -> Pipeline:
    """Reads all samples on all cores, and applies the transforms that stand before the first random one for good.

    Args:
        pipeline: What gives the samples.
        skip_bad: Whether samples that cannot be read are left out, and told when they are wanted.

    Raises:
        DataError: A sample cannot be read.
    """
    reader, rest = fixed_part(pipeline)
    faults: dict[int, str] = {}
    extents: dict[int, Shape] = {}

    def good() -> Iterator[NDArray[Any]]:
        before: NDArray[Any] | None = None
        waiting = 0
        for place, sample in enumerate(read_all(reader, extents, skip_bad=skip_bad)):
            if not isinstance(sample, str):
                yield from [sample] * waiting
                yield (before := sample)
                waiting = 0
                continue
            faults[place] = sample
            if before is None:
                waiting += 1  # the next good one stands in their places, unseen
            else:
                yield before
        if before is None:
            raise DataError(faults[0])

    kept = Preloaded(pipeline.source, _packed(good(), len(pipeline.source.names)), faults)
    applied = [step for _, step in reader.steps]
    return replace(pipeline, source=kept, steps=rest, extents=extents, applied=applied)


def fixed_part(pipeline: Pipeline) -> tuple[Pipeline, Sequence[tuple[int, SampleTransform]]]:
    """The part of a pipeline that gives the same in every epoch, and the transforms behind it."""
    fixed = list(takewhile(lambda step: not step[1].random, pipeline.steps))
    return replace(pipeline, steps=fixed), pipeline.steps[len(fixed) :]


def read_all(
    reader: Pipeline, extents: dict[int, Shape] | None = None, *, skip_bad: bool = False
) -> Iterator[NDArray[Any] | str]:
    """All samples in their order, read on all cores; where one cannot be read, the cause, if such are to be skipped.

    Args:
        reader: What gives them.
        extents: Gets the extents that are to be compared; see `Pipeline.read`.
        skip_bad: Whether samples that cannot be read are skipped.

    Raises:
        DataError: A sample cannot be read.
    """

    def read(indices: Indices) -> Sequence[NDArray[Any] | str]:
        if len(indices) > 1 and reader.steps:  # what is yet to be made smaller, one by one
            return [read(indices[place : place + 1])[0] for place in range(len(indices))]
        try:
            samples = reader.read(indices, 0, 0, extents)
            # windows of larger samples are copied, so that those are let go
            return [one if one.flags.c_contiguous else one.copy() for one in samples] if reader.steps else list(samples)
        except DataError as error:
            if not skip_bad:
                raise ending_a_run(error) from error
            if len(indices) == 1:
                return [str(error)]
            return [read(indices[place : place + 1])[0] for place in range(len(indices))]

    count = len(reader.source.names)
    workers = len(os.sched_getaffinity(0))
    start, ahead, chunk, largest = 0, 1, 1, 1
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Sequence[NDArray[Any] | str]]] = deque()
        try:
            while start < count or pending:
                while start < count and len(pending) < ahead:
                    pending.append(pool.submit(read, np.arange(start, min(start + chunk, count))))
                    start += chunk
                for sample in pending.popleft().result():
                    largest = max(largest, len(sample) if isinstance(sample, str) else sample.nbytes)
                    yield sample
                room = max(1, _WAITING // largest)  # samples
                chunk = min(_CHUNK, max(1, room // (workers * _AHEAD)))
                ahead = min(workers * _AHEAD, max(1, room // chunk))
        finally:
            for future in pending:
                future.cancel()


def _packed(samples: Iterator[NDArray[Any]], count: int) -> Samples:
    """One array of all samples, or a list if they differ in shape or type."""
    first = next(samples)
    block = np.empty((count, *first.shape), first.dtype)
    block[0] = first
    for place, sample in enumerate(samples, start=1):
        if sample.shape != first.shape or sample.dtype != first.dtype:
            return [*block[:place], sample, *samples]
        block[place] = sample
    return block
