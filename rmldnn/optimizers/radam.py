"""RAdam."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("RAdam")
def radam(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.001,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    decoupled_weight_decay: bool = False,
) -> torch.optim.Optimizer:
    """Adam that needs no warm-up: it adapts once the averaged size can be trusted (Liu et al. 2020).

    Defaults are torch's.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step for a steady gradient.
        beta1: How much of the averaged gradient is kept at each step.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Strength of the pull of all parameters to zero.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        decoupled_weight_decay: Take weight decay off the parameters, as AdamW does, rather than add it to the gradient.
    """
    return torch.optim.RAdam(
        groups(parameters),
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        decoupled_weight_decay=decoupled_weight_decay,
        foreach=True,
    )
