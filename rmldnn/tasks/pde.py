"""Learning the solution of a partial differential equation, without solutions to compare with."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from rmldnn.losses.equation import Equation
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised
from rmldnn.types import Total


class Solving(Supervised):
    """Predicts solutions of an equation, which need not be what the network gives.

    Args:
        equation: The loss; None if the network is only to predict.
        penalty: As of `Supervised`.
    """

    def __init__(self, equation: Equation | None, penalty: Callable[[], Tensor | None] | None = None) -> None:
        super().__init__(equation, penalty=penalty)
        self.equation = equation

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """The solution, and the loss of the equation if there is what the equation depends on."""
        loss, output = super().forward(network, batch, total)
        return loss, output if self.equation is None else self.equation.solution(output, batch.targets)
