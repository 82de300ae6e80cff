"""A learning rate that falls when the loss does not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from rmldnn.component import component
from rmldnn.schedulers.schedule import Schedule, require_below_one
from rmldnn.types import Count, Fraction, Index, NonNegative, Positive


@component("Plateau")
class Plateau(Schedule):
    """Multiplies the learning rate by `factor` when the loss has not improved for more than `patience` epochs.

    The loss is that of the evaluation at the end of the epoch, or of the training where there is no test data. Keys and
    numbers are those of torch's `ReduceLROnPlateau`.

    Args:
        optimizer: Whose learning rate is set.
        factor: Factor, less than 1.
        patience: Number of epochs without improvement that are forgiven.
        threshold: Part of the best loss by which a loss must be less to count as an improvement.
        cooldown: Number of epochs after a change that are not counted.
        min_factor: Part of the initial learning rate below which it does not fall.
        num_epochs: Number of epochs that it lasts, needed in a list for all but the last; all of the run if absent.
        verbose: Log the learning rate when it changes.

    Raises:
        ConfigError: `factor` is not less than 1.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        _length: float = math.inf,
        *,
        factor: Positive = 0.1,
        patience: Index = 10,
        threshold: NonNegative = 0.0001,
        cooldown: Index = 0,
        min_factor: Fraction = 0.0,
        num_epochs: Count | None = None,
        verbose: bool = True,
    ) -> None:
        require_below_one("factor", factor)
        self._patience = patience
        self._threshold = threshold
        self._cooldown = cooldown
        self._seen: dict[str, Any] = {"best": None, "waited": 0, "resting": 0, "changes": 0}
        super().__init__(
            optimizer,
            lambda _: max(factor ** self._seen["changes"], min_factor),
            num_epochs=num_epochs,
            verbose=verbose,
        )

    def observe(self, done: float, loss: float) -> None:
        """Counts an epoch without improvement, and makes the learning rate smaller when there were too many."""
        if done <= 0 or (self.num_epochs is not None and done > self.num_epochs):
            return
        seen = self._seen
        best = seen["best"]
        if best is None or loss < best - self._threshold * abs(best):
            seen["best"], seen["waited"] = loss, 0
        else:
            seen["waited"] += 1
        if seen["resting"] > 0:
            seen["resting"] -= 1
            seen["waited"] = 0
        if seen["waited"] > self._patience:
            seen["changes"] += 1
            seen["resting"], seen["waited"] = self._cooldown, 0

    def memory(self) -> dict[str, Any]:
        """The best loss, and the epochs and changes counted so far."""
        return dict(self._seen)

    def recall(self, state: Mapping[str, Any]) -> None:
        """Takes back what `memory` gave."""
        self._seen.update({key: state[key] for key in self._seen if key in state})
