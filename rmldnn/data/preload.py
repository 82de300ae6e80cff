"""Samples read once and kept in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.pipeline import Pipeline
from rmldnn.data.source import Indices, Samples, Source

_CHUNK = 16
"""Samples that a thread reads at a time."""


class Preloaded(Source):
    """The samples of another source, in memory; see `Source`.

    Args:
        source: Where the samples came from.
        samples: One array with a leading axis, or a list of arrays where shapes differ.
    """

    def __init__(self, source: Source, samples: Samples) -> None:
        self.kind = source.kind
        self.noun = source.noun
        self.names = source.names
        self.meaning = source.meaning
        self.groups = source.groups
        self.samples = samples
        self._source = source

    def take(self, indices: Indices) -> Samples:
        """Copies the samples at `indices` into one array, or lists them where shapes differ."""
        if isinstance(self.samples, np.ndarray):
            return self.samples[indices]
        return [self.samples[index] for index in indices.tolist()]

    def locate(self, index: int) -> str:
        """Where the sample was read."""
        return self._source.locate(index)

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002 - nothing is left to read
        """None."""
        return 0


def in_memory(pipeline: Pipeline) -> Pipeline:
    """Reads all samples on all cores, and applies the transforms that stand before the first random one for good.

    Raises:
        DataError: A sample cannot be read.
    """
    fixed = list(takewhile(lambda step: not step[1].random, pipeline.steps))
    reader = replace(pipeline, steps=fixed)
    count = len(pipeline.source.names)
    chunks = [np.arange(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        parts = pool.map(lambda indices: reader.read(indices, seed=0, epoch=0), chunks)
        samples = _packed((sample for part in parts for sample in part), count)
    return replace(pipeline, source=Preloaded(pipeline.source, samples), steps=pipeline.steps[len(fixed) :])


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
