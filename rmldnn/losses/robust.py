"""Losses of regression to which outliers matter less than to the squared error; targets as MSE takes them."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.reduction import alone, mean, wide
from rmldnn.losses.target import dense
from rmldnn.types import Positive, Total


@component("L1", title="L1 (Mean Absolute Error)")
def l1(output: Tensor, target: Tensor, total: Total = alone) -> Tensor:
    """The mean over all elements of the absolute difference.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: As MSE takes it.
        total: Sums a tensor over all processes.

    Raises:
        ConfigError: Target and output do not fit.
    """
    output = wide(output)
    return mean(F.l1_loss, output, dense(output, target, "L1"), total)


@component("SmoothL1")
def smooth_l1(output: Tensor, target: Tensor, total: Total = alone, *, beta: Positive = 1.0) -> Tensor:
    """The mean of d^2 / (2 beta) for differences d below `beta`, and of |d| - beta / 2 above.

    Of Girshick, "Fast R-CNN" (2015), with beta 1.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: As MSE takes it.
        total: Sums a tensor over all processes.
        beta: Difference at which the square passes into the absolute value.

    Raises:
        ConfigError: Target and output do not fit.
    """
    output = wide(output)
    return mean(partial(F.smooth_l1_loss, beta=beta), output, dense(output, target, "SmoothL1"), total)


@component("Huber")
def huber(output: Tensor, target: Tensor, total: Total = alone, *, delta: Positive = 1.0) -> Tensor:
    """The mean of d^2 / 2 for differences d below `delta`, and of delta (|d| - delta / 2) above.

    Of Huber, "Robust estimation of a location parameter" (1964).

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: As MSE takes it.
        total: Sums a tensor over all processes.
        delta: Difference at which the square passes into the absolute value.

    Raises:
        ConfigError: Target and output do not fit.
    """
    output = wide(output)
    return mean(partial(F.huber_loss, delta=delta), output, dense(output, target, "Huber"), total)
