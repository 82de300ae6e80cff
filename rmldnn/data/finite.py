"""Refuses samples with values that are no numbers, before they spoil a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.errors import DataError


def is_finite(array: NDArray[Any]) -> bool:
    """Whether all values are finite numbers: neither the largest nor the smallest is so if one is not a number."""
    if array.dtype.kind != "f" or not array.size:
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
