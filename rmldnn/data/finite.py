"""Refuses samples with values that are no numbers, before they spoil a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.errors import DataError

_BLOCK = 8192
"""Numbers whose squares are summed at a time: BLAS takes as many in one thread."""


def is_finite(array: NDArray[Any]) -> bool:
    """Whether all values are finite numbers.

    The sum of the squares of finite numbers is finite, unless they are huge, and BLAS finds it in half the time that it
    takes to find the largest and the smallest.
    """
    if array.dtype.kind != "f" or not array.size:
        return True
    if array.dtype.itemsize > 2 and (array.flags.c_contiguous or array.flags.f_contiguous):
        flat = array.reshape(-1, order="A")
        whole = array.size // _BLOCK * _BLOCK
        blocks, rest = flat[:whole].reshape(-1, _BLOCK), flat[whole:]
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.vecdot(blocks, blocks)).all() and np.isfinite(np.vecdot(rest, rest)):
                return True
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array.max()) and np.isfinite(array.min()))


def require_finite(sample: NDArray[Any], locate: Callable[[], str]) -> None:
    """Refuses a sample.

    Args:
        sample: Its numbers.
        locate: Tells where it lies.

    Raises:
        DataError: Some of its values are not finite.
    """
    if not is_finite(sample):
        count = sample.size - int(np.isfinite(sample).sum())
        raise DataError(
            f"{locate()}: {count} of {sample.size} values are not a number or infinite; repair the file, for instance "
            "by putting a number in their place, or remove it"
        )
