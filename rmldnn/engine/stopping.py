"""An end before the last epoch, where a training does not get better."""

from __future__ import annotations

from typing import Any

from rmldnn.component import component
from rmldnn.engine.scores import Scores, better
from rmldnn.output.rows import number
from rmldnn.types import Count, NonNegative


@component("early_stopping")
def early_stopping(
    *, monitor: str = "test_loss", patience: Count = 10, min_delta: NonNegative = 0.0, min_epochs: Count = 1
) -> EarlyStopping:
    """Ends a training that has not become better for some epochs.

    Args:
        monitor: What is to become better: `train_loss`, `test_loss`, `test_accuracy`, or `test_` with the name of a
            metric behind it, such as `test_IoU`.
        patience: Number of epochs without a better one that end the training.
        min_delta: What counts as better differs by more than this.
        min_epochs: The training does not end before this epoch.
    """
    return EarlyStopping(monitor, patience, min_delta, min_epochs)


class EarlyStopping:
    """Remembers the best epoch; see `early_stopping`."""

    def __init__(self, monitor: str, patience: int, min_delta: float, min_epochs: int) -> None:
        self.monitor = monitor
        self._patience = patience
        self._min_delta = min_delta
        self._min_epochs = min_epochs
        self._best: float | None = None
        self._best_epoch = 0

    def over(self, epoch: int, scores: Scores) -> bool:
        """Whether the training ends with this epoch."""
        value = scores.value(self.monitor, "early_stopping.monitor")
        if self._best is None or better(self.monitor, value, self._best, self._min_delta):
            self._best, self._best_epoch = value, epoch
        return self.ended(epoch)

    def ended(self, epoch: int) -> bool:
        """Whether the training ends with this epoch, whose numbers are known; a larger patience lets it go on."""
        waited = epoch - self._best_epoch
        return self._best is not None and epoch >= self._min_epochs and waited >= self._patience

    def reason(self, epoch: int) -> str:
        """Why the training has ended with this epoch."""
        waited = epoch - self._best_epoch
        return (
            f"after epoch {epoch}: {self.monitor} has not become better for {waited} epoch{'s' if waited > 1 else ''}; "
            f"best {number(self._best or 0.0)} in epoch {self._best_epoch}"
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"monitor": self.monitor, "best": self._best, "epoch": self._best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint; the best value of another number than `monitor` is none."""
        if state.get("monitor", self.monitor).lower() == self.monitor.lower():
            self._best, self._best_epoch = state["best"], state["epoch"]
