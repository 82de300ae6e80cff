"""Stochastic gradient descent."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.optimizers.fused import can_fuse
from rmldnn.optimizers.groups import Group, Parameters, groups
from rmldnn.types import NonNegative, Positive


@component("SGD")
def sgd(
    parameters: Parameters,
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
    parameters = groups(parameters)
    require_momentum(parameters, nesterov=nesterov, momentum=momentum, dampening=dampening)
    return torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        fused=can_fuse(parameters),
    )


def require_momentum(parameters: list[Group], *, nesterov: bool, momentum: float, dampening: float) -> None:
    """Refuses groups that look ahead by a momentum that they do not have, as torch does.

    Raises:
        ConfigError: `nesterov` without momentum, or with dampening, for all parameters or those of one group.
    """
    defaults = {"nesterov": nesterov, "momentum": momentum, "dampening": dampening}
    for group in [{}, *parameters]:
        keys = defaults | group
        if keys["nesterov"] and (keys["momentum"] == 0 or keys["dampening"] != 0):
            raise ConfigError(
                Problem(
                    "optimizer.nesterov",
                    "needs `momentum` greater than 0 and `dampening` 0, "
                    f"got {keys['momentum']:g} and {keys['dampening']:g}",
                )
            )
