"""Learning from pairs of inputs and targets: classification, segmentation, regression, auto-encoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from rmldnn.losses.equation import TargetError
from rmldnn.metrics.accuracy import Metric, accuracy_for
from rmldnn.steps import Batch
from rmldnn.tasks.task import Place, Turn
from rmldnn.types import Total


class Supervised:
    """Compares the network's output with a target.

    Args:
        loss: A loss component with its keys bound; None if the network is only to predict.
        metric: What evaluation reports as accuracy; by default the one that goes with the loss.
        penalty: What the network's regularizers add to the loss, as Keras does; None, or a function that may give None.
    """

    needs_targets = True

    def __init__(
        self,
        loss: Callable[..., Tensor] | None = None,
        metric: Metric | None = None,
        penalty: Callable[[], Tensor | None] | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.metric = metric if metric is not None or loss is None else accuracy_for(loss)

    def turns(self, network: nn.Module, total: Total, place: Place) -> Sequence[Turn]:  # noqa: ARG002
        """One update by the loss."""

        def objective(batch: Batch) -> Tensor:
            loss, _ = self.forward(network, batch, total)
            if loss is None:
                raise RuntimeError("training needs a loss, but there is none, or the batch has no targets")
            return loss

        return [Turn(objective)]

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """Output of the network, and its loss, penalties included, if there is something to compare it with.

        Raises:
            ConfigError: The loss cannot take output and targets.
        """
        output: Tensor = network(batch.inputs)
        if self.loss is None or batch.targets is None:
            return None, output
        try:
            loss = self.loss(output, batch.targets, total)
        except TargetError as error:
            raise error.named(batch.names) from error
        penalty = self.penalty() if self.penalty is not None else None
        return (loss if penalty is None else loss + penalty), output
