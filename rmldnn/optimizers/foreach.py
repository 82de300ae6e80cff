"""What optimizers that update lists of tensors at once have in common; nothing here waits for the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def with_gradients(group: Mapping[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters of a group that have a gradient, and their gradients."""
    parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
    return parameters, [parameter.grad for parameter in parameters]


def kept(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], name: str) -> list[Tensor]:
    """What an optimizer keeps under a name for each parameter, as large as the parameter and zero at first."""
    for parameter in parameters:
        if name not in optimizer.state[parameter]:
            optimizer.state[parameter][name] = torch.zeros_like(parameter)
    return [optimizer.state[parameter][name] for parameter in parameters]


def lengths(tensors: Sequence[Tensor], total: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, ...]:
    """The L2 norm of each tensor.

    Args:
        tensors: Of which this process may have a part only.
        total: Sums a tensor over the processes that have the others; None where tensors are whole.
    """
    norms = torch._foreach_norm(list(tensors))
    return norms if total is None else total(torch.stack(norms).square()).sqrt().unbind()


def trust(sizes: Sequence[Tensor], lengths: Sequence[Tensor], factor: float = 1.0) -> list[Tensor]:
    """`factor` * size / length for each pair of scalars, and 1 where size or length is 0."""
    size, length = torch.stack(list(sizes)), torch.stack(list(lengths))
    return list(torch.where((size > 0) & (length > 0), factor * size / length, 1.0).unbind())
