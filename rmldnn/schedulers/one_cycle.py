"""One large cycle of the learning rate, with the momentum against it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

import torch

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.schedulers.schedule import PATH, Schedule
from rmldnn.types import Count, OpenFraction, Positive

_Points = list[tuple[float, float]]


@component("OneCycle")
def one_cycle(
    optimizer: torch.optim.Optimizer,
    length: float,
    *,
    pct_start: OpenFraction = 0.3,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 10000.0,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    cycle_momentum: bool = False,
    base_momentum: OpenFraction = 0.85,
    max_momentum: OpenFraction = 0.95,
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Rises from a small learning rate to the configured one, and falls to a much smaller one until the run ends.

    Smith and Topin, Super-Convergence, 2018; keys and numbers are those of torch's `OneCycleLR`, whose last point is
    reached when the run is over. It is meant for `"per": "step"`.

    Args:
        optimizer: Whose learning rate is set; its present one is the largest.
        length: Number of epochs of the run.
        pct_start: Part of the run over which the learning rate rises; at most one half with `three_phase`.
        div_factor: The largest learning rate divided by the first.
        final_div_factor: The first learning rate divided by the last.
        anneal_strategy: Rise and fall along half a cosine, or straight.
        three_phase: Fall to the first learning rate in the time of the rise, then to the last one, as in the paper;
            otherwise in one go.
        cycle_momentum: Let the momentum, or beta1, fall while the learning rate rises, and rise while it falls.
        base_momentum: Smallest momentum.
        max_momentum: Largest momentum, at the beginning and at the end.
        num_epochs: Number of epochs that it lasts; all of the run if absent.
        per: Whether the learning rate is set for each epoch or for each update.
        verbose: Log the learning rate when it changes.

    Raises:
        ConfigError: The optimizer has no momentum that may be cycled, or three phases leave the last one no time.
    """
    if three_phase and pct_start > 0.5:
        raise ConfigError(Problem(f"{PATH}.pct_start", f"must be at most 0.5 for three phases, got {pct_start:g}"))
    if cycle_momentum and not all("betas" in group or "momentum" in group for group in optimizer.param_groups):
        kind = type(optimizer).__name__
        raise ConfigError(Problem(f"{PATH}.cycle_momentum", f"the optimizer {kind} has no momentum; set it to false"))
    if cycle_momentum and hasattr(optimizer, "eval"):
        message = "the optimizer finds its mean of the weights by its beta1, which must not move; set it to false"
        raise ConfigError(Problem(f"{PATH}.cycle_momentum", message))
    first, top, end = 1 / div_factor, pct_start, num_epochs or length
    last = first / final_div_factor
    rates, momenta = [(0.0, first), (top, 1.0)], [(0.0, max_momentum), (top, base_momentum)]
    if three_phase:
        rates.append((2 * top, first))
        momenta.append((2 * top, max_momentum))
    rates.append((1.0, last))
    momenta.append((1.0, max_momentum))
    bend = _bent if anneal_strategy == "cos" else _straight
    return Schedule(
        optimizer,
        lambda epochs: _between(rates, epochs / end, bend),
        num_epochs=num_epochs,
        per=per,
        verbose=verbose,
        momentum=(lambda epochs: _between(momenta, epochs / end, bend)) if cycle_momentum else None,
    )


def _between(points: _Points, time: float, bend: Callable[[float], float]) -> float:
    """The value at a time in [0, 1], between the two points around it."""
    for (start, before), (stop, after) in itertools.pairwise(points):
        if time < stop:
            return before + (after - before) * bend((time - start) / (stop - start))
    return points[-1][1]


def _bent(part: float) -> float:
    return (1 - math.cos(math.pi * part)) / 2


def _straight(part: float) -> float:
    return part
