"""Adagrad."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.fused import can_fuse
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, Positive


@component("Adagrad")
def adagrad(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    lr_decay: NonNegative = 0.0,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """Steps divided by the root of the sum of all squared gradients so far (Duchi et al. 2011).

    Args:
        parameters: What to learn, on the device where it will be learned: the sums are kept there.
        learning_rate: Length of the first step.
        lr_decay: Rate at which the learning rate falls with the number of steps.
        weight_decay: Strength of the pull of all parameters to zero.
    """
    parameters = groups(parameters)
    return torch.optim.Adagrad(
        parameters, lr=learning_rate, lr_decay=lr_decay, weight_decay=weight_decay, fused=can_fuse(parameters, "cpu")
    )
