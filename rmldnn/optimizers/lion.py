"""Lion."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.optimizers.foreach import kept, with_gradients
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("Lion")
def lion(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.0001,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.99,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """Steps of equal length for every weight, by the sign of the averaged gradient (Chen et al. 2023).

    The paper advises a learning rate 3 to 10 times smaller than AdamW's, and a weight decay as many times larger. It
    keeps half as many numbers as Adam.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step of each weight.
        beta1: How much of the averaged gradient counts beside the present one in a step.
        beta2: How much of the averaged gradient is kept at each step.
        weight_decay: Part of each parameter taken off at each step, in units of the learning rate.
    """
    defaults = {"lr": learning_rate, "betas": (beta1, beta2), "weight_decay": weight_decay}
    return Lion(groups(parameters), defaults)


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of arXiv 2302.06675."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One update of all parameters that have a gradient."""
        for group in self.param_groups:
            parameters, gradients = with_gradients(group)
            if not parameters:
                continue
            beta1, beta2 = group["betas"]
            means = kept(self, parameters, "exp_avg")
            signs = torch._foreach_sign(torch._foreach_lerp(means, gradients, 1 - beta1))
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, signs, alpha=-group["lr"])
            torch._foreach_lerp_(means, gradients, 1 - beta2)
