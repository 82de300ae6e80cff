"""LAMB."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rmldnn.component import component
from rmldnn.optimizers.foreach import kept, lengths, trust, with_gradients
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.types import NonNegative, OpenFraction, Positive


@component("LAMB")
def lamb(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    weight_decay: NonNegative = 0.0,
    eps: NonNegative = 1e-8,
    amsgrad: bool = False,
) -> torch.optim.Optimizer:
    """Adam for large batches: the step of each parameter is in proportion to its size (You et al. 2020).

    Args:
        parameters: What to learn.
        learning_rate: Length of a step in units of the parameter's size.
        beta1: How much of the averaged gradient is kept at each step.
        beta2: How much of the averaged squared gradient is kept at each step.
        weight_decay: Strength of the pull of all parameters to zero, added to Adam's step before it is scaled.
        eps: Added to the gradient's averaged size, so that nothing is divided by zero.
        amsgrad: Divide by the largest averaged size so far (Reddi et al. 2018).
    """
    defaults = {
        "lr": learning_rate,
        "betas": (beta1, beta2),
        "eps": eps,
        "weight_decay": weight_decay,
        "amsgrad": amsgrad,
    }
    return Lamb(groups(parameters), defaults)


class Lamb(torch.optim.Optimizer):
    """Algorithm 2 of arXiv 1904.00962, each parameter being a layer and its size taken as it is.

    With Adam's step r for the parameter w, the step is learning rate * |w| / |r + weight_decay w| * (r + weight_decay
    w). Where |w| is 0 it is unscaled, lest what starts as zero never leave it.
    """

    by_tensor = True
    """Whether the step of a tensor depends on all of it."""
    total: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Sums a tensor over the processes that have parts of the same parameters."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One update of all parameters that have a gradient."""
        for group in self.param_groups:
            parameters, gradients = with_gradients(group)
            if not parameters:
                continue
            beta1, beta2 = group["betas"]
            means = kept(self, parameters, "exp_avg")
            squares = kept(self, parameters, "exp_avg_sq")
            torch._foreach_lerp_(means, gradients, 1 - beta1)
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
            if group["amsgrad"]:
                largest = kept(self, parameters, "max_exp_avg_sq")
                torch._foreach_maximum_(largest, squares)
                squares = largest
            counts = self._count(parameters)
            steps = torch._foreach_div(means, [1 - beta1**count for count in counts])
            sizes = torch._foreach_div(squares, [1 - beta2**count for count in counts])
            torch._foreach_sqrt_(sizes)
            torch._foreach_add_(sizes, group["eps"])
            torch._foreach_div_(steps, sizes)
            torch._foreach_add_(steps, parameters, alpha=group["weight_decay"])
            torch._foreach_mul_(steps, trust(lengths(parameters, self.total), lengths(steps, self.total)))
            torch._foreach_add_(parameters, steps, alpha=-group["lr"])

    def _count(self, parameters: list[torch.Tensor]) -> list[int]:
        """How many updates each parameter has had, this one included."""
        for parameter in parameters:
            self.state[parameter]["step"] = self.state[parameter].get("step", 0) + 1
        return [self.state[parameter]["step"] for parameter in parameters]
