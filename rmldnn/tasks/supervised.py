"""Learning from pairs of inputs and targets: classification, segmentation, regression, auto-encoders.

A task says what one learning step is; the engine knows how to repeat it on one process or many. Whoever adds a task
writes one class with the members of `Task`:

- a GAN's `forward` runs the generator and the critic inside its `network` and returns the sum of both losses, each
  detached from the parameters of the other;
- object detection keeps its box targets in `batch.targets` and reduces its loss by `total` like any other;
- a PDE task hands the loss `batch.inputs`, the coefficients and boundary values, where `Supervised` hands it targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from rmldnn.metrics.accuracy import Metric, accuracy_for
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


class Supervised:
    """Compares the network's output with a target.

    Args:
        loss: A loss component with its keys bound; None if the network is only to predict.
        metric: What evaluation reports as accuracy; by default the one that goes with the loss.
        penalty: What the network's regularizers add to the loss, as Keras does; None, or a function that may give None.
    """

    def __init__(
        self,
        loss: Callable[..., Tensor] | None = None,
        metric: Metric | None = None,
        penalty: Callable[[], Tensor | None] | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.metric = metric if metric is not None or loss is None else accuracy_for(loss)

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """Output of the network, and its loss, penalties included, if there is something to compare it with."""
        output: Tensor = network(batch.inputs)
        if self.loss is None or batch.targets is None:
            return None, output
        loss = self.loss(output, batch.targets, total)
        penalty = self.penalty() if self.penalty is not None else None
        return (loss if penalty is None else loss + penalty), output
