"""NAdam."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("NAdam")
def nadam(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.002,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    momentum_decay: NonNegative = 0.004,
    decoupled_weight_decay: bool = False,
) -> torch.optim.Optimizer:
    """Adam that looks ahead by one step of its momentum (Dozat 2016).

    Defaults are torch's.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step for a steady gradient.
        beta1: How much of the averaged gradient is kept at each step.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Strength of the pull of all parameters to zero.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        momentum_decay: Rate at which momentum comes to its full strength, per step.
        decoupled_weight_decay: Take weight decay off the parameters, as AdamW does, rather than add it to the gradient.
    """
    return torch.optim.NAdam(
        groups(parameters),
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        momentum_decay=momentum_decay,
        decoupled_weight_decay=decoupled_weight_decay,
        foreach=True,
    )
