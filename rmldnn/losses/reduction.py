"""How a loss becomes that of the whole global batch, whatever the number of processes.

A loss is a ratio of sums. Each process computes its own two sums, one call of `total` adds them over all processes, and
only then are they divided: uneven shares, and shares of no sample at all, are weighted rightly by construction.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rmldnn.types import Total


def alone(tensor: Tensor) -> Tensor:
    """The `total` of a run of one process: the tensor itself."""
    return tensor


def ratio(numerator: Tensor, denominator: Tensor | float, total: Total) -> Tensor:
    """Divides two sums, each taken over all processes; communicates once.

    Args:
        numerator: Scalar of this process, float32 or wider.
        denominator: Scalar of this process; a number costs no transfer to the device.
        total: Sums a tensor over all processes.
    """
    if not isinstance(denominator, Tensor):
        denominator = numerator.new_full((), denominator)
    sums = total(torch.stack([numerator, denominator.to(numerator.dtype)]))
    return sums[0] / sums[1]  # type: ignore[no-any-return]


def mean(loss: Callable[..., Tensor], output: Tensor, target: Tensor, total: Total) -> Tensor:
    """The mean of an elementwise torch loss over the elements of all processes.

    Args:
        loss: A function of `torch.nn.functional` with the argument `reduction`.
        output: Network output of this process.
        target: Target of the same shape.
        total: Sums a tensor over all processes; `alone` takes torch's fused mean.
    """
    if total is alone:
        return loss(output, target)
    return ratio(loss(output, target, reduction="sum"), output.numel(), total)
