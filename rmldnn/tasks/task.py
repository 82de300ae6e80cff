"""What one learning step is; the engine knows how to repeat it, on one process or many."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from rmldnn.metrics.accuracy import Metric
from rmldnn.steps import Batch
from rmldnn.types import Total


class Task(Protocol):
    """What one learning step is."""

    @property
    def metric(self) -> Metric | None:
        """What evaluation reports as accuracy; None if there is no such number."""
        ...

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """Runs the network on this process's share of a batch.

        Args:
            network: What the engine prepared; called once.
            batch: Inputs on the engine's device, targets where the loader left them; of this process, so maybe empty.
            total: Sums a tensor over all processes, gradients included; called equally often on each of them.

        Returns:
            The loss of the whole global batch, the same on every process, or None without targets; and the output.
        """
        ...
