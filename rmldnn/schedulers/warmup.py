"""Learning rates that rise at first."""

from __future__ import annotations

import logging
import math
from typing import Literal

import torch

from rmldnn.component import component
from rmldnn.schedulers.schedule import PATH, Schedule, require_below_one
from rmldnn.types import Count, Positive

log = logging.getLogger("rmldnn")


@component("Warmup")
def warmup(
    optimizer: torch.optim.Optimizer,
    length: float = math.inf,
    *,
    num_epochs: Count,
    start_factor: Positive,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Starts at `start_factor` times the learning rate and rises linearly to all of it over `num_epochs` epochs.

    Args:
        optimizer: Whose learning rate is set.
        length: Number of epochs of the run, or what is left of it.
        num_epochs: Number of epochs after which the learning rate is reached.
        start_factor: Part of the learning rate that the first epoch has, less than 1.
        per: Whether the learning rate is set for each epoch or for each update.
        verbose: Log the learning rate when it changes.

    Raises:
        ConfigError: `start_factor` is not less than 1.
    """
    require_below_one("start_factor", start_factor)
    if num_epochs > length:
        log.warning(f"{PATH}: Warmup takes {num_epochs} epochs, but there are {length:g}; the rate is never reached")

    def factor(epochs: float) -> float:
        return start_factor + (1 - start_factor) * (epochs / num_epochs)

    return Schedule(optimizer, factor, num_epochs=num_epochs, per=per, verbose=verbose)
