"""What one learning step is; the engine knows how to repeat it, on one process or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from rmldnn.metrics.accuracy import Metric
from rmldnn.steps import Batch
from rmldnn.types import Total


class Place(NamedTuple):
    """Where a training stands.

    Args:
        seed: Of the run.
        epoch: The epoch that is running, from 1.
        update: The update of the whole training that comes, from 1.
    """

    seed: int
    epoch: int
    update: int


@dataclass(frozen=True)
class Turn:
    """One update of parameters.

    Args:
        objective: From this process's share of a batch to the loss of the global batch; see `Engine.learn`.
        name: Of what learns, where a batch has several turns; the loss of the first one, without a name, is that of the
            batch.
        learning: What is around the update.
    """

    objective: Callable[[Batch], Tensor]
    name: str = ""
    learning: Callable[[], AbstractContextManager[None]] = nullcontext


class Task(Protocol):
    """What one learning step is."""

    @property
    def metric(self) -> Metric | None:
        """What evaluation reports as accuracy; None if there is no such number."""
        ...

    @property
    def needs_targets(self) -> bool:
        """Whether there is no loss without targets."""
        ...

    def turns(self, network: nn.Module, total: Total, place: Place) -> Sequence[Turn]:
        """The updates that are made of the batches that come.

        Args:
            network: What the engine prepared.
            total: Sums a tensor over all processes, gradients included.
            place: Where the training stands.
        """
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
