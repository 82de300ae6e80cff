"""Hessian: second-order methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.optimizers.groups import PLACE, Parameters, groups
from rmldnn.optimizers.lbfgs import lbfgs
from rmldnn.optimizers.newton import newton_cg
from rmldnn.optimizers.objective import Objective
from rmldnn.optimizers.stopping import Stopping
from rmldnn.types import Count, NonNegative, Positive

METHODS = {"lbfgs": lbfgs, "newton-cg": newton_cg}


@component("Hessian")
def hessian(
    parameters: Parameters,
    *,
    method: Literal["lbfgs", "newton-cg"] = "lbfgs",
    max_iterations: Count = 2000,
    max_func_eval: Count = 4000,
    absolute_tolerance: NonNegative = 1e-8,
    relative_tolerance: NonNegative = 1e-8,
    history: Count = 20,
    learning_rate: Positive = 1.0,
) -> torch.optim.Optimizer:
    """Descends on each batch by second-order steps, until its gradient is small or a limit is reached.

    Meant for losses of full batches: a `batch_size` as large as the data set. On smaller batches choose a small
    `max_iterations`, such as 10, or each batch's loss is driven to its own minimum.

    Args:
        parameters: What to learn, in one group.
        method: `lbfgs`, which remembers how the gradient changed (Liu and Nocedal 1989), or `newton-cg`, which uses
            products with the Hessian itself in a trust region (Steihaug 1983) and so needs second derivatives.
        max_iterations: Most iterations on one batch.
        max_func_eval: Most evaluations of the gradient on one batch; a product with the Hessian counts as one.
        absolute_tolerance: L2 norm of the gradient at which a batch is done.
        relative_tolerance: The same in units of the loss.
        history: Steps that `lbfgs` remembers; takes twice as many numbers as parameters for each.
        learning_rate: The first trial of a step: of `lbfgs` in units of its full step, of `newton-cg` the length of the
            first step where the loss curves down.

    Raises:
        ConfigError: There are groups of parameters; or, in training, a layer without second derivatives.
    """
    given = groups(parameters)
    if len(given) > 1 or given[0].keys() > {"params"}:
        raise ConfigError(Problem(PLACE, "`Hessian` moves all parameters together and takes no groups; leave it out"))
    keys = {
        "lr": learning_rate,
        "method": method,
        "max_iterations": max_iterations,
        "max_func_eval": max_func_eval,
        "absolute_tolerance": absolute_tolerance,
        "relative_tolerance": relative_tolerance,
        "history": history,
    }
    return Hessian(given, keys)


class Hessian(torch.optim.Optimizer):
    """Minimises the loss of a batch in one `step`, whose closure gives the loss anew, with its graph.

    The closure must give the same loss for the same parameters, on every process: the same random numbers for dropout
    in all calls of one step. Gradients are taken here, by `torch.autograd.grad`; `grad` of the parameters is neither
    read nor written. What `lbfgs` remembers, and the radius of `newton-cg`, go on from batch to batch.
    """

    needs_closure = True
    """Tells an engine to call `step(closure)` in place of a backward pass and `step()`."""

    def __init__(self, parameters: list[Any], keys: dict[str, Any]) -> None:
        super().__init__(parameters, keys)
        self.reduce: Callable[[Tensor], Tensor] = _alone
        """Makes the gradient of the loss from that of this process, flat; the same for products with the Hessian."""
        self.grad_norm = torch.zeros(())
        """L2 norm of the gradient before the last `step`."""
        self.iterations = 0
        """Iterations of all steps."""
        self.evaluations = 0
        """Evaluations of loss and gradient of all steps."""
        self.products = 0
        """Products with the Hessian of all steps; each costs about as much as an evaluation."""

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Minimises from where the parameters are; if the loss is not finite there, they stay.

        Args:
            closure: Computes the loss of the batch: a differentiable scalar, for `newton-cg` differentiable twice.

        Returns:
            The loss before the step.
        """
        (group,) = self.param_groups
        objective = Objective(group["params"], closure, self.reduce, group["max_func_eval"])
        stopping = Stopping(group["max_iterations"], group["absolute_tolerance"], group["relative_tolerance"])
        memory = self.state[group["params"][0]]
        start = objective.at(objective.here, twice=group["method"] == "newton-cg")
        if start.finite:
            with torch.no_grad():
                end = METHODS[group["method"]](objective, start, memory, stopping, group["history"], group["lr"])
            objective.move(end.x)
        self.iterations += stopping.count
        self.evaluations += objective.evaluations
        self.products += objective.products
        self.grad_norm = start.gradient.new_tensor(start.norm)
        return start.gradient.new_tensor(start.value)


def _alone(vector: Tensor) -> Tensor:
    return vector
