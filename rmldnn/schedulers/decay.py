"""Learning rates that fall: by steps, at milestones, exponentially."""

from __future__ import annotations

import bisect

import torch

from rmldnn.component import component
from rmldnn.schedulers.schedule import Schedule
from rmldnn.types import Count, Positive


@component("Step")
def step(optimizer: torch.optim.Optimizer, *, gamma: Positive, step_size: Count, verbose: bool = True) -> Schedule:
    """Multiplies the learning rate by `gamma` every `step_size` epochs.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        step_size: Number of epochs between two changes.
        verbose: Log the learning rate when it changes.
    """
    return Schedule(optimizer, lambda epochs: gamma ** (epochs // step_size), verbose=verbose)


@component("MultiStep")
def multi_step(
    optimizer: torch.optim.Optimizer, *, gamma: Positive, milestones: list[Count], verbose: bool = True
) -> Schedule:
    """Multiplies the learning rate by `gamma` when the number of finished epochs reaches a milestone.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        milestones: Numbers of epochs, in any order; one given twice counts twice.
        verbose: Log the learning rate when it changes.
    """
    reached = sorted(milestones)
    return Schedule(optimizer, lambda epochs: gamma ** bisect.bisect_right(reached, epochs), verbose=verbose)


@component("Exponential")
def exponential(optimizer: torch.optim.Optimizer, *, gamma: Positive, verbose: bool = True) -> Schedule:
    """Multiplies the learning rate by `gamma` after every epoch.

    Args:
        optimizer: Whose learning rate is set.
        gamma: Factor.
        verbose: Log the learning rate when it changes.
    """
    return Schedule(optimizer, lambda epochs: gamma**epochs, verbose=verbose)
