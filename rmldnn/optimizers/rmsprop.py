"""RMSProp."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("RMSProp")
def rmsprop(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    alpha: OpenFraction = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative = 0.0,
    momentum: NonNegative = 0.0,
    centered: bool = False,
) -> torch.optim.Optimizer:
    """Steps of the gradient in units of its averaged size (Tieleman and Hinton 2012).

    Args:
        parameters: What to learn.
        learning_rate: Length of a step in units of the gradient's averaged size.
        alpha: How much of the averaged squared gradient is kept at each step.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        weight_decay: Strength of the pull of all parameters to zero.
        momentum: Part of the previous step that is kept.
        centered: Divide by the gradient's standard deviation instead (Graves 2013).
    """
    return torch.optim.RMSprop(
        groups(parameters),
        lr=learning_rate,
        alpha=alpha,
        eps=eps,
        weight_decay=weight_decay,
        momentum=momentum,
        centered=centered,
        foreach=True,
    )
