"""Random numbers of layers in training: functions of a place, not of a stream.

A number belongs to (seed, epoch, turn, sample, draw, element), where each time that a layer asks is a draw. So any
number of processes, whatever share of a batch each has, draws what one would, and so does whoever computes activations
once more. Elements are counted, and counts are hashed (Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
2011), by the rounds of lowbias32 (C. Wellons, https://github.com/skeeto/hash-prospector) with a key of the sample
before each of them. The bits are the same on every device, compiled or not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy

import numpy as np
import torch
from torch import Tensor

_WEYL = 0x9E3779B9 - 2**32
"""From the keys of a draw to those of the next one: the golden ratio, by which they never repeat."""
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B - 2**32
"""The factors of lowbias32, as signed numbers."""
_BLOCK = 2**17
"""Elements that a CPU hashes at a time, so that they stay in its cache: measured, twice as fast as all at once."""


class Draws:
    """The random numbers of one batch.

    Args:
        seed: Of the run.
        epoch: The epoch that is running.
        turn: What learns, where several networks do.
        update: Place of the update within the epoch, the same in all processes.
        first: Place of the first sample of this process within the epoch's order.
        count: Samples of this process.
        device: Where the network is.
    """

    def __init__(
        self, seed: int, epoch: int, turn: str, update: int, first: int, count: int, device: torch.device
    ) -> None:
        samples = np.random.Philox(key=_digest(seed, epoch, turn)).advance(first)  # four numbers to a place
        batch = np.random.Philox(key=_digest(seed, epoch, turn, update))
        raw = np.concatenate([batch.random_raw(4), samples.random_raw(4 * max(count, 1))])  # no sample: one of zeros
        keys = torch.from_numpy(raw.view(np.int32).reshape(-1, 8)[:, :2].T.copy())
        self.keys = (keys.pin_memory() if device.type == "cuda" else keys).to(device, non_blocking=True)
        """Two keys (2, 1 + count) of the batch as a whole, and of each sample; other ones for the next draw."""


_present: Draws | None = None


@contextmanager
def drawing(draws: Draws | None) -> Iterator[None]:
    """Lets layers draw these numbers; from torch's own generator if None."""
    global _present
    before, _present = _present, draws
    try:
        yield
    finally:
        _present = before


def present() -> Draws | None:
    """What layers draw, as it is now; it stays so when they go on."""
    return copy(_present)


def dropout(x: Tensor, rate: float, shared: Sequence[int] = ()) -> Tensor:
    """Sets random elements to 0 and scales the others up to keep the mean.

    Args:
        x: Shape (N, ...).
        rate: Share of elements that are dropped.
        shared: Dimensions along which they are dropped together.
    """
    if rate >= 1:
        return x * 0
    limit, factor = _limit(rate), 1 / (1 - rate)
    return x * _drawn(x, shared, torch.float32, lambda bits: (bits >= limit) * factor).to(x.dtype)


def chosen(x: Tensor, share: float, shared: Sequence[int] = ()) -> Tensor:
    """Random elements of a tensor; arguments as of `dropout`.

    Returns:
        Booleans of the shape of x, but 1 along the shared dimensions.
    """
    limit = _limit(share)
    return _drawn(x, shared, torch.bool, lambda bits: bits < limit)


def uniform(x: Tensor, low: float, high: float, shared: Sequence[int] = ()) -> Tensor:
    """Random numbers from low to high, of the kind of x; arguments and shape as of `chosen`."""
    numbers = _drawn(x, shared, torch.float32, lambda bits: ((bits >> 8) + float(2**23)) * 2.0**-24)
    return (low + (high - low) * numbers).to(x.dtype)


def normal(x: Tensor) -> Tensor:
    """Normal random numbers of mean 0 and variance 1, of the kind and shape of x; none is beyond 5.4."""
    numbers = _drawn(x, (), torch.float32, lambda bits: torch.erfinv(((bits >> 8) + 0.5) * 2.0**-23) * math.sqrt(2))
    return numbers.to(x.dtype)


def _limit(share: float) -> int:
    """Below which so many of all 32-bit numbers are."""
    return min(round(share * 2**32), 2**32 - 1) - 2**31


def _drawn(x: Tensor, shared: Sequence[int], dtype: torch.dtype, made: Callable[[Tensor], Tensor]) -> Tensor:
    """What is made of 32 random bits for each element.

    A tensor has the rows of each sample one after the other, so several rows may be of the same sample, as those of a
    sequence are.
    """
    sizes = [1 if dim in shared else extent for dim, extent in enumerate(x.shape)]
    draws = _present
    if draws is None or (sizes[0] % (draws.keys.shape[1] - 1) and 0 not in shared):
        return made(torch.randint(-(2**31), 2**31, sizes, dtype=torch.int32, device=x.device))
    keys = draws.keys[:, :1] if 0 in shared else draws.keys[:, 1:]
    draws.keys = draws.keys + _WEYL
    return _filled(keys, math.prod(sizes) // keys.shape[1], dtype, made).view(sizes)


def _filled(keys: Tensor, count: int, dtype: torch.dtype, made: Callable[[Tensor], Tensor]) -> Tensor:
    """So many numbers for each pair of keys (2, n)."""
    places = torch.arange(count, dtype=torch.int32, device=keys.device)
    first, second = keys.unsqueeze(2)
    n = keys.shape[1]
    if n * count <= _BLOCK or keys.device.type != "cpu" or torch.compiler.is_compiling():
        return made(_hashed(places, first, second))
    numbers = torch.empty(n, count, dtype=dtype)
    rows = max(1, _BLOCK // count)
    for row in range(0, n, rows):
        one, other = first[row : row + rows], second[row : row + rows]
        for at in range(0, count, _BLOCK):
            numbers[row : row + rows, at : at + _BLOCK] = made(_hashed(places[at : at + _BLOCK], one, other))
    return numbers


def _hashed(places: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Random bits, int32, of which the highest are the best; shifts to the right are those of unsigned numbers."""
    z = places + first
    z = z ^ ((z >> 16) & 0xFFFF)
    z = torch.add(second, z, alpha=_FIRST)
    z = z ^ ((z >> 15) & 0x1FFFF)
    return z * _SECOND


def _digest(*key: object) -> int:
    digest = hashlib.blake2b(" ".join(map(str, key)).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")
