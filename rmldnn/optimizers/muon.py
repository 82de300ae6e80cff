"""Muon."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from rmldnn.component import component
from rmldnn.optimizers.foreach import kept, with_gradients
from rmldnn.optimizers.fused import can_fuse
from rmldnn.optimizers.groups import Group, Parameters, groups
from rmldnn.types import Count, NonNegative, OpenFraction, Positive


@component("Muon")
def muon(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.001,
    momentum: OpenFraction = 0.95,
    nesterov: bool = True,
    weight_decay: NonNegative = 0.1,
    ns_steps: Count = 5,
    orthogonal: bool = True,
    beta1: OpenFraction = 0.9,
    beta2: OpenFraction = 0.999,
    eps: NonNegative = 1e-8,
) -> torch.optim.Optimizer:
    """Steps that turn all directions of a matrix equally far (Jordan et al. 2024); AdamW for what is no matrix.

    Kernels of convolutions are matrices of one row for each channel. Steps are scaled to the size of AdamW's (Liu et
    al. 2025), so that one learning rate and one weight decay serve both. Muon is meant for hidden layers: give
    embeddings and the last layer to AdamW by an entry `{"layers": "embedding|head", "orthogonal": false}` of
    `parameters`.

    Args:
        parameters: What to learn.
        learning_rate: Length of a step, as of AdamW.
        momentum: How much of the averaged gradient of a matrix is kept at each step.
        nesterov: Look ahead by one step of momentum.
        weight_decay: Part of each parameter taken off at each step, in units of the learning rate.
        ns_steps: Iterations by which a step is made orthogonal.
        orthogonal: Whether matrices are moved by Muon; AdamW moves them otherwise.
        beta1: How much of the averaged gradient AdamW keeps at each step.
        beta2: How much of the averaged squared gradient AdamW keeps at each step.
        eps: What AdamW adds to the gradient's averaged size, so that nothing is divided by zero.
    """
    given = groups(parameters)
    defaults = {
        "lr": learning_rate,
        "momentum": momentum,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
        "ns_steps": ns_steps,
        "orthogonal": orthogonal,
        "betas": (beta1, beta2),
        "eps": eps,
        "fused": can_fuse(given),
    }
    return Muon([half for group in given for half in _halves({"orthogonal": orthogonal, **group})], defaults)


class Muon(torch.optim.Optimizer):
    """Groups that are `orthogonal` hold matrices only; AdamW moves the others."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One update of all parameters that have a gradient."""
        for group in self.param_groups:
            parameters, gradients = with_gradients(group)
            if parameters:
                (self._turn if group["orthogonal"] else self._adamw)(group, parameters, gradients)

    def _turn(self, group: Group, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        means = kept(self, parameters, "momentum_buffer")
        torch._foreach_lerp_(means, gradients, 1 - group["momentum"])
        steps = torch._foreach_lerp(gradients, means, group["momentum"]) if group["nesterov"] else means
        turned = [orthogonalised(step.flatten(1), group["ns_steps"]).view_as(step) for step in steps]
        lengths = [0.2 * group["lr"] * math.sqrt(max(step.flatten(1).shape)) for step in steps]
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_sub_(parameters, torch._foreach_mul(turned, lengths))

    def _adamw(self, group: Group, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        for parameter in parameters:
            self.state[parameter].setdefault("step", torch.zeros((), device=parameter.device))
        adamw(
            parameters,
            gradients,
            kept(self, parameters, "exp_avg"),
            kept(self, parameters, "exp_avg_sq"),
            [],
            [self.state[parameter]["step"] for parameter in parameters],
            fused=group["fused"],
            foreach=not group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalised(matrix: Tensor, num_iterations: int) -> Tensor:
    """The matrix with all its singular values near 1 (0.7 to 1.2), by Newton and Schulz' iteration.

    The coefficients are Jordan's: they raise small singular values fastest, and let none settle. GPUs compute it in
    bfloat16, which suffices.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    turned = wide.bfloat16() if matrix.is_cuda else wide
    turned = turned / torch.linalg.vector_norm(turned).clamp(min=1e-7)
    for _ in range(num_iterations):
        gram = turned @ turned.T
        turned = torch.addmm(turned, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), turned, beta=3.4445)
    return (turned if wide is matrix else turned.T).to(matrix.dtype)


def _halves(group: Group) -> list[Group]:
    """A group as one of matrices and one of all else; a group that would be empty is left out."""
    matrices = [parameter for parameter in group["params"] if parameter.ndim > 1 and group["orthogonal"]]
    known = set(map(id, matrices))
    others = [parameter for parameter in group["params"] if id(parameter) not in known]
    halves = [{**group, "params": matrices}, {**group, "params": others, "orthogonal": False}]
    return [half for half in halves if half["params"]]
