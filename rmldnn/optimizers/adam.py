"""Adam and AdamW."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.fused import can_fuse
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("Adam")
def adam(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    amsgrad: bool = False,
) -> torch.optim.Optimizer:
    """Steps of the averaged gradient in units of its averaged size (Kingma and Ba 2015).

    Args:
        parameters: What to learn.
        learning_rate: Length of a step for a steady gradient.
        beta1: How much of the averaged gradient is kept at each step.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Strength of the pull of all parameters to zero, added to the gradient.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        amsgrad: Divide by the largest averaged size so far (Reddi et al. 2018).
    """
    parameters = groups(parameters)
    return torch.optim.Adam(
        parameters,
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=amsgrad,
        fused=can_fuse(parameters),
    )


@component("AdamW")
def adamw(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    amsgrad: bool = False,
) -> torch.optim.Optimizer:
    """Adam with a weight decay that the gradient's size does not touch (Loshchilov and Hutter 2019).

    Args:
        parameters: What to learn.
        learning_rate: Length of a step for a steady gradient.
        beta1: How much of the averaged gradient is kept at each step.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Part of each parameter taken off at each step, in units of the learning rate.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        amsgrad: Divide by the largest averaged size so far (Reddi et al. 2018).
    """
    parameters = groups(parameters)
    return torch.optim.AdamW(
        parameters,
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=amsgrad,
        fused=can_fuse(parameters),
    )
