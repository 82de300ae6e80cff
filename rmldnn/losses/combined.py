"""Weighted sums of losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rmldnn.losses.reduction import alone
from rmldnn.types import Total


class Combined:
    """The sum of several losses of the same output and target, each multiplied by a factor.

    Args:
        terms: Factors and losses, at least one; a loss takes output, target and `total`, its keys bound.
    """

    def __init__(self, terms: Sequence[tuple[float, Callable[..., Tensor]]]) -> None:
        self.terms = tuple(terms)

    def __call__(self, output: Tensor, target: Tensor, total: Total = alone) -> Tensor:
        """The loss of the global batch, a scalar; each term calls `total` once."""
        return torch.stack([factor * loss(output, target, total) for factor, loss in self.terms]).sum()

    def __repr__(self) -> str:
        return f"Combined({list(self.terms)!r})"
