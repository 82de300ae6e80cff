"""How a loss becomes that of the whole global batch, whatever the number of processes.

A loss is a ratio of sums. Each process computes its own two sums, one call of `total` adds them over all processes, and
only then are they divided: uneven shares, and shares of no sample at all, are weighted rightly by construction. Sums
are taken in float32 or wider, since 16 bits overflow at 65504 or stop counting at 256.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rmldnn.types import Total


def alone(tensor: Tensor) -> Tensor:
    """The `total` of a run of one process: the tensor itself."""
    return tensor


def wide(tensor: Tensor) -> Tensor:
    """A tensor of 16-bit floats as float32, any other as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def ratio(numerator: Tensor, denominator: Tensor | float, total: Total) -> Tensor:
    """Divides two sums, each taken over all processes; 0 where nothing counts. Communicates once.

    Args:
        numerator: Scalar of this process, float32 or wider; 0 where nothing counts.
        denominator: Scalar of this process, not negative; a number costs no transfer to the device.
        total: Sums a tensor over all processes.
    """
    if not isinstance(denominator, Tensor):
        denominator = numerator.new_full((), denominator)
    sums = total(torch.stack([numerator, denominator.to(numerator.dtype)]))
    return sums[0] / sums[1].where(sums[1] > 0, 1)  # type: ignore[no-any-return]


def mean(loss: Callable[..., Tensor], output: Tensor, target: Tensor, total: Total) -> Tensor:
    """The mean of an elementwise torch loss over the elements of all processes; 0 if there are none.

    Args:
        loss: A function of `torch.nn.functional` with the argument `reduction`.
        output: Network output of this process, float32 or wider.
        target: Target of the same shape.
        total: Sums a tensor over all processes; `alone` takes torch's fused mean.
    """
    if total is alone and output.numel():
        return loss(output, target)
    return ratio(loss(output, target, reduction="sum"), output.numel(), total)
