"""What all learning-rate schedules are: a factor for each number of epochs that are over."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

log = logging.getLogger("rmldnn")


class Schedule(torch.optim.lr_scheduler.LambdaLR):
    """Multiplies the initial learning rate by a factor; `step` is called at the end of each epoch.

    The factor is a closed formula and not a product that is kept up to date, so a resumed run has exactly the same
    rates.

    Args:
        optimizer: Whose learning rate is set; its present one is the initial one.
        factor: From the number of epochs that are over to the factor.
        verbose: Log the learning rate when it changes.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, factor: Callable[[int], float], *, verbose: bool) -> None:
        self.verbose = False  # torch's constructor takes a first step, which is nobody's end of an epoch
        super().__init__(optimizer, factor)
        self.verbose = verbose

    def step(self, epoch: int | None = None) -> None:
        """Sets the learning rate of the coming epoch."""
        before = [group["lr"] for group in self.optimizer.param_groups]
        super().step(epoch)
        after = [group["lr"] for group in self.optimizer.param_groups]
        if self.verbose and after != before:
            log.info("Learning rate adjusted to %s", ", ".join(dict.fromkeys(f"{rate:g}" for rate in after)))
