"""LARS."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rmldnn.component import component
from rmldnn.optimizers.foreach import kept, lengths, trust, with_gradients
from rmldnn.optimizers.groups import Parameters, groups
from rmldnn.optimizers.sgd import require_momentum
from rmldnn.types import NonNegative, Positive


@component("LARS")
def lars(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    momentum: NonNegative = 0.0,
    dampening: float = 0.0,
    weight_decay: NonNegative = 0.0,
    nesterov: bool = False,
    eta: NonNegative = 0.001,
) -> torch.optim.Optimizer:
    """SGD for large batches: the step of each parameter is in proportion to its size (You et al. 2017).

    As in the paper, biases and normalisations are no exception; many leave them unscaled, which is the entry
    `{"kinds": ["bias", "norm"], "eta": 0}` of `parameters`.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step in units of `eta` times the parameter's size.
        momentum: Part of the previous step that is kept; steps have their learning rates in them already.
        dampening: Part of the step that momentum leaves out.
        weight_decay: Strength of the pull of all parameters to zero.
        nesterov: Look ahead by one step of momentum; needs `momentum` and no `dampening`.
        eta: How far the size of a parameter is trusted; 0 leaves steps unscaled.

    Raises:
        ConfigError: `nesterov` without momentum, or with dampening.
    """
    parameters = groups(parameters)
    require_momentum(parameters, nesterov=nesterov, momentum=momentum, dampening=dampening)
    defaults = {
        "lr": learning_rate,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "eta": eta,
    }
    return Lars(parameters, defaults)


class Lars(torch.optim.Optimizer):
    """Algorithm 1 of arXiv 1708.03888, each parameter being a layer.

    With the gradient g of the parameter w, the step is learning rate * eta |w| / (|g| + weight_decay |w|) * (g +
    weight_decay w). Where |w| is 0 the step is unscaled, lest what starts as zero never leave it.
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
            decay, momentum = group["weight_decay"], group["momentum"]
            steps = torch._foreach_add(gradients, parameters, alpha=decay)
            if group["eta"]:
                sizes, slopes = lengths(parameters, self.total), lengths(gradients, self.total)
                whole = torch._foreach_add(slopes, sizes, alpha=decay)
                torch._foreach_mul_(steps, trust(sizes, whole, group["eta"]))
            torch._foreach_mul_(steps, group["lr"])
            if momentum:
                fresh = [not self.state[parameter] for parameter in parameters]
                buffers = kept(self, parameters, "momentum_buffer")
                torch._foreach_mul_(buffers, momentum)
                parts = [1.0 if first else 1.0 - group["dampening"] for first in fresh]  # as torch's SGD
                torch._foreach_add_(buffers, torch._foreach_mul(steps, parts))
                steps = torch._foreach_add(steps, buffers, alpha=momentum) if group["nesterov"] else tuple(buffers)
            torch._foreach_sub_(parameters, steps)
