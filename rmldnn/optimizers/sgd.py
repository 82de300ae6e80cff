"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.optimizers.fused import can_fuse
from rmldnn.types import NonNegative, Positive


@component("SGD")
def sgd(
    parameters: Iterable[Tensor],
    *,
    learning_rate: Positive = 0.01,
    momentum: NonNegative = 0.0,
    dampening: float = 0.0,
    weight_decay: NonNegative = 0.0,
    nesterov: bool = False,
) -> torch.optim.Optimizer:
    """Gradient descent on batches, with momentum (Sutskever et al. 2013).

    Args:
        parameters: What to learn.
        learning_rate: Length of a step in units of the gradient.
        momentum: Part of the previous step that is kept.
        dampening: Part of the gradient that momentum leaves out.
        weight_decay: Strength of the pull of all parameters to zero.
        nesterov: Look ahead by one step of momentum; needs `momentum` and no `dampening`.

    Raises:
        ConfigError: `nesterov` without momentum, or with dampening.
    """
    if nesterov and (momentum == 0 or dampening != 0):
        raise ConfigError(
            Problem(
                "optimizer.nesterov",
                f"needs `momentum` greater than 0 and `dampening` 0, got {momentum:g} and {dampening:g}",
            )
        )
    parameters = list(parameters)
    return torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        fused=can_fuse(parameters),
    )
