"""Learning rates that rise at first."""

from __future__ import annotations

import torch

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.schedulers.schedule import Schedule
from rmldnn.types import Count, Positive


@component("Warmup")
def warmup(
    optimizer: torch.optim.Optimizer, *, num_epochs: Count, start_factor: Positive, verbose: bool = True
) -> Schedule:
    """Starts at `start_factor` times the learning rate and rises linearly to all of it over `num_epochs` epochs.

    Args:
        optimizer: Whose learning rate is set.
        num_epochs: Number of epochs after which the learning rate is reached.
        start_factor: Part of the learning rate that the first epoch has, less than 1.
        verbose: Log the learning rate when it changes.

    Raises:
        ConfigError: `start_factor` is not less than 1.
    """
    if start_factor >= 1:
        raise ConfigError(Problem("optimizer.lr_scheduler.start_factor", f"must be less than 1, got {start_factor:g}"))

    def factor(epochs: int) -> float:
        return start_factor + (1 - start_factor) * min(epochs / num_epochs, 1.0)

    return Schedule(optimizer, factor, verbose=verbose)
