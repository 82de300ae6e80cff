"""Which samples make up which batch, on which process: pure arithmetic, the same wherever it is done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.source import Indices

_ORDER, _SAMPLE, _BLOCK, _BATCH = 0, 1, 2, 3
"""Last word of the counter of the random stream: keeps streams for different purposes apart."""

BLOCK = 256
"""Samples of a block at most, where samples that lie one behind another are to be read so."""
MERGED = 16
"""Blocks that are merged at a time."""


def shuffled(count: int, seed: int, epoch: int, group: int = 0) -> Indices:
    """A permutation of `range(count)` that depends on nothing but seed, epoch and the number of the group.

    Sorting raw bits gives the same order under every version of NumPy, whose own `permutation` may change.
    """
    return np.argsort(_bits(count, seed, epoch, _ORDER, group), kind="stable").astype(np.int64, copy=False)


def merged(blocks: Sequence[int], seed: int, epoch: int) -> Indices:
    """A permutation of all samples in which each block is read from its beginning to its end.

    Blocks (long ones in parts) are put into random order, and so many at a time are merged at random, each in its own
    order. Whoever reads along sees a few places that move forward, and neighbours are far apart in the epoch.

    Args:
        blocks: Sizes of runs of samples that lie one behind another; they sum to the whole.
        seed: Of the run.
        epoch: Counted from 1.
    """
    sizes = np.array([min(BLOCK, size - at) for size in blocks for at in range(0, size, BLOCK)], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(_bits(len(sizes), seed, epoch, _BLOCK), kind="stable")
    sizes, starts = sizes[order], starts[order]
    total = int(sizes.sum())
    block = np.repeat(np.arange(len(sizes)), sizes)
    samples = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(total)
    turns = block[np.lexsort((_bits(total, seed, epoch, _ORDER), block // MERGED))]  # whose turn it is
    result = np.empty(total, np.int64)
    result[np.argsort(turns, kind="stable")] = samples
    return result


def shuffled_batches(count: int, seed: int, epoch: int) -> Indices:
    """A permutation of the batches of an epoch, where they cannot all be cut from one order of the samples."""
    return np.argsort(_bits(count, seed, epoch, _BATCH), kind="stable")


def sample_generator(seed: int, epoch: int, index: int, position: int) -> np.random.Generator:
    """The random numbers of one transform for one sample.

    Args:
        seed: Of the run.
        epoch: Counted from 1.
        index: Of the sample within its set, not within the epoch's order.
        position: Of the transform.
    """
    return np.random.Generator(np.random.Philox(key=_key(seed, epoch), counter=_counter(index, position, _SAMPLE)))


def share(size: int, rank: int, world: int) -> slice:
    """The part of `size` samples that one of `world` processes takes: contiguous, and of equal size up to one."""
    return slice(size * rank // world, size * (rank + 1) // world)


def _bits(count: int, seed: int, epoch: int, purpose: int, group: int = 0) -> NDArray[np.uint64]:
    return np.random.Philox(key=_key(seed, epoch), counter=_counter(group, 0, purpose)).random_raw(count)


def _key(seed: int, epoch: int) -> np.ndarray:
    return np.array([seed % 2**64, epoch], dtype=np.uint64)


def _counter(index: int, position: int, purpose: int) -> np.ndarray:
    return np.array([0, index, position, purpose], dtype=np.uint64)
