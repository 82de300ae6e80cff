"""Learning rates that fall: by steps, at milestones, exponentially."""

from __future__ import annotations

import bisect
import math
from typing import Literal

import torch

from rmldnn.component import component
from rmldnn.schedulers.schedule import Schedule
from rmldnn.types import Count, Positive


@component("Step")
def step(
    optimizer: torch.optim.Optimizer,
    _length: float = math.inf,
    *,
    gamma: Positive,
    step_size: Count,
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Multiplies the learning rate by `gamma` every `step_size` epochs.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        step_size: Number of epochs between two changes.
        num_epochs: Number of epochs that it lasts, needed in a list for all but the last; all of the run if absent.
        per: Whether the learning rate is set for each epoch or for each update; the same here.
        verbose: Log the learning rate when it changes.
    """

    def factor(epochs: float) -> float:
        return math.pow(gamma, epochs // step_size)

    return Schedule(optimizer, factor, num_epochs=num_epochs, per=per, verbose=verbose)


@component("MultiStep")
def multi_step(
    optimizer: torch.optim.Optimizer,
    _length: float = math.inf,
    *,
    gamma: Positive,
    milestones: list[Count],
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Multiplies the learning rate by `gamma` when the number of finished epochs reaches a milestone.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        milestones: Numbers of epochs, in any order; one given twice counts twice.
        num_epochs: Number of epochs that it lasts, needed in a list for all but the last; all of the run if absent.
        per: Whether the learning rate is set for each epoch or for each update; the same here.
        verbose: Log the learning rate when it changes.
    """
    reached = sorted(milestones)

    def factor(epochs: float) -> float:
        return gamma ** bisect.bisect_right(reached, epochs)

    return Schedule(optimizer, factor, num_epochs=num_epochs, per=per, verbose=verbose)


@component("Exponential")
def exponential(
    optimizer: torch.optim.Optimizer,
    _length: float = math.inf,
    *,
    gamma: Positive,
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Multiplies the learning rate by `gamma` after every epoch.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        num_epochs: Number of epochs that it lasts, needed in a list for all but the last; all of the run if absent.
        per: Whether the learning rate is set for each epoch or, by the part of `gamma` that falls to it, for each
            update.
        verbose: Log the learning rate when it changes.
    """
    return Schedule(optimizer, lambda epochs: gamma**epochs, num_epochs=num_epochs, per=per, verbose=verbose)
