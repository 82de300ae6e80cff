"""Samples read once and kept in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.memory import rows
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.data.transform import SampleTransform
from rmldnn.errors import DataError

_CHUNK = 16
"""Samples that a thread reads at a time."""
_AHEAD = 4
"""Chunks that wait for each thread."""


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

    def good() -> Iterator[NDArray[Any]]:
        before: NDArray[Any] | None = None
        waiting = 0
        for place, sample in enumerate(read_all(reader, skip_bad=skip_bad)):
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

    samples = _packed(good(), len(pipeline.source.names))
    return replace(pipeline, source=Preloaded(pipeline.source, samples, faults), steps=rest)


def fixed_part(pipeline: Pipeline) -> tuple[Pipeline, Sequence[tuple[int, SampleTransform]]]:
    """The part of a pipeline that gives the same in every epoch, and the transforms behind it."""
    fixed = list(takewhile(lambda step: not step[1].random, pipeline.steps))
    return replace(pipeline, steps=fixed), pipeline.steps[len(fixed) :]


def read_all(reader: Pipeline, *, skip_bad: bool = False) -> Iterator[NDArray[Any] | str]:
    """All samples in their order, read on all cores; where one cannot be read, the cause, if such are to be skipped.

    Raises:
        DataError: A sample cannot be read.
    """

    def read(indices: Indices) -> Sequence[NDArray[Any] | str]:
        try:
            return list(reader.read(indices, seed=0, epoch=0))
        except DataError as error:
            if not skip_bad:
                raise
            if len(indices) == 1:
                return [str(error)]
            return [read(indices[place : place + 1])[0] for place in range(len(indices))]

    count = len(reader.source.names)
    workers = len(os.sched_getaffinity(0))
    chunks = iter([np.arange(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)])
    with ThreadPoolExecutor(workers) as pool:
        pending = deque(pool.submit(read, chunk) for chunk in islice(chunks, workers * _AHEAD))
        try:
            while pending:
                yield from pending.popleft().result()
                pending.extend(pool.submit(read, chunk) for chunk in islice(chunks, 1))
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
