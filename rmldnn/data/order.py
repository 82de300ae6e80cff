"""Which samples make up which batch, on which process: pure arithmetic, the same wherever it is done."""

from __future__ import annotations

import numpy as np

from rmldnn.data.source import Indices

_ORDER, _SAMPLE = 0, 1
"""Last word of the counter of the random stream: keeps streams for different purposes apart."""


def shuffled(count: int, seed: int, epoch: int) -> Indices:
    """A permutation of `range(count)` that depends on seed and epoch only.

    Sorting raw bits gives the same order under every version of NumPy, whose own `permutation` may change.
    """
    bits = np.random.Philox(key=_key(seed, epoch), counter=_counter(0, 0, _ORDER)).random_raw(count)
    return np.argsort(bits, kind="stable").astype(np.int64, copy=False)


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


def _key(seed: int, epoch: int) -> np.ndarray:
    return np.array([seed % 2**64, epoch], dtype=np.uint64)


def _counter(index: int, position: int, purpose: int) -> np.ndarray:
    return np.array([0, index, position, purpose], dtype=np.uint64)
