"""Schedule-free AdamW."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import Index, NonNegative, OpenFraction, Positive


@component("ScheduleFreeAdamW")
def schedule_free_adamw(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.0025,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    warmup_steps: Index = 0,
    r: NonNegative = 0.0,
    weight_lr_power: NonNegative = 2.0,
) -> torch.optim.Optimizer:
    """AdamW whose averaged weights take the place of a falling learning rate (Defazio et al. 2024), by `schedulefree`.

    It trains other weights than it is evaluated and saved with: whoever runs it calls `train()` of the optimizer before
    training, and `eval()` before evaluation or saving. Statistics of batch normalisation belong to the former.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step for a steady gradient; an `lr_scheduler` is not needed.
        beta1: Weight of the averaged weights among those that gradients are taken at; greater than 0.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Part of each parameter taken off at each step, in units of the learning rate.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        warmup_steps: Number of steps in which the learning rate rises to its value.
        r: Power of the step's number in the step's weight in the average.
        weight_lr_power: Power of the largest learning rate so far in the step's weight in the average.

    Raises:
        ConfigError: The package is missing, or `beta1` is 0.
    """
    parameters = groups(parameters)
    if beta1 == 0 or any(group.get("betas", (beta1,))[0] == 0 for group in parameters):
        raise ConfigError(
            Problem("optimizer.beta1", "must be greater than 0 here: the average is found by dividing by it")
        )
    try:
        import schedulefree
    except ImportError:
        raise ConfigError(
            Problem(
                "optimizer.type",
                "`ScheduleFreeAdamW` needs the package `schedulefree`; install it by: pip install 'rmldnn[optimizers]'",
            )
        ) from None
    optimizer: torch.optim.Optimizer = schedulefree.AdamWScheduleFree(
        parameters,
        lr=learning_rate,
        betas=(beta1, beta2),
        eps=eps,
        weight_decay=weight_decay,
        warmup_steps=warmup_steps,
        r=r,
        weight_lr_power=weight_lr_power,
        foreach=True,
    )
    return optimizer
