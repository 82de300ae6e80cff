"""Random numbers that are functions of a place: of a key and the position of a sample, and of nothing else.

Philox counts (Salmon et al. 2011): sample i of a key takes its numbers from the counter's blocks behind i, so processes
draw their own shares of a batch, and the numbers are those of one process.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK = 4
"""Numbers that a step of the counter gives."""


def normal(shape: Sequence[int], first: int, count: int, *key: object) -> Tensor:
    """Normal random numbers of mean 0 and variance 1, by Box and Muller (1958).

    Args:
        shape: Of a sample.
        first: Position of the first sample.
        count: Number of samples.
        key: What tells these numbers from others: numbers and words.

    Returns:
        Shape (count, *shape), float32, on the CPU.
    """
    size = math.prod(shape)
    half = -(-size // 2)
    drawn = _uniform(2 * half, first, count, key)
    radius, angle = np.sqrt(-2 * np.log1p(-drawn[:, :half])), 2 * np.pi * drawn[:, half:]
    numbers = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :size]
    return torch.from_numpy(numbers.astype(np.float32)).reshape(count, *shape)


def uniform(first: int, count: int, *key: object) -> Tensor:
    """One random number from 0 to 1 for each sample, shape (count,), float32, on the CPU; arguments as of `normal`."""
    return torch.from_numpy(_uniform(1, first, count, key)[:, 0].astype(np.float32))


def _uniform(width: int, first: int, count: int, key: Sequence[object]) -> NDArray[np.float64]:
    digest = hashlib.blake2b(" ".join(map(str, key)).encode(), digest_size=16).digest()
    blocks = -(-width // _BLOCK)
    counter = np.random.Philox(key=int.from_bytes(digest, "big")).advance(first * blocks)
    raw = counter.random_raw(count * blocks * _BLOCK).reshape(count, blocks * _BLOCK)[:, :width]
    numbers: NDArray[np.float64] = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers
