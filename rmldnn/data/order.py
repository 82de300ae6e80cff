"""Which samples make up which batch, on which process: pure arithmetic, the same wherever it is done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.source import Indices

_ORDER, _SAMPLE, _BLOCK, _BATCH = 0, 1, 2, 3
"""Last word of the counter of the random stream: keeps streams for different purposes apart."""

BLOCK = 64
"""Samples that lie one behind another and are read at about the same time: small ones are as many bytes as a file
system reads at once, and large ones need no neighbours."""
WINDOW = 2**18
"""Samples that are mixed at a time. What a file system read for the first of a block, it still holds for the last."""


def shuffled(count: int, seed: int, epoch: int, group: int = 0) -> Indices:
    """A permutation of `range(count)` that depends on nothing but seed, epoch and the number of the group.

    Sorting raw bits gives the same order under every version of NumPy, whose own `permutation` may change.
    """
    return np.argsort(_bits(count, seed, epoch, _ORDER, group), kind="stable").astype(np.int64, copy=False)


def merged(blocks: Sequence[int], seed: int, epoch: int) -> Indices:
    """A permutation of all samples in which those that lie one behind another are not far from each other.

    Blocks are put into random order, and the samples of as many as fill a window are permuted as a whole. A window
    takes thousands of blocks from all over the set, so that batches are as mixed as those of `shuffled`, even where
    the set is sorted by class; a set of one window is that. Each stretch of the disk is read once, while its window
    lasts.

    Args:
        blocks: Sizes of runs of samples that lie one behind another, cut into blocks where they are longer; they sum
            to the whole.
        seed: Of the run.
        epoch: Counted from 1.
    """
    total = sum(blocks)
    windows = -(-total // WINDOW)  # of equal size, lest the last be of a few blocks only
    if windows <= 1:
        return shuffled(total, seed, epoch)
    sizes = np.asarray(blocks, dtype=np.int64)
    samples = np.arange(total)
    places = samples - np.repeat(np.cumsum(sizes) - sizes, sizes)
    block = np.cumsum(places % BLOCK == 0) - 1
    order = np.argsort(_bits(int(block[-1]) + 1, seed, epoch, _BLOCK)[block], kind="stable")
    return order[np.lexsort((_bits(total, seed, epoch, _ORDER), samples * windows // total))]


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
