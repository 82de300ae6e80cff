"""Learning rates that fall to their end over the whole run: along a cosine, along a power of the time that is left."""

from __future__ import annotations

import math
from typing import Literal

import torch

from rmldnn.component import component
from rmldnn.schedulers.schedule import Schedule, require_below_one
from rmldnn.types import Count, Fraction, NonNegative, Positive


@component("Cosine")
def cosine(
    optimizer: torch.optim.Optimizer,
    length: float,
    *,
    min_factor: Fraction = 0.0,
    warmup_epochs: NonNegative = 0.0,
    start_factor: Positive = 0.1,
    num_cycles: Count = 1,
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Falls along half a cosine until the run ends; before that a linear warm-up, if wanted.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    Args:
        optimizer: Whose learning rate is set.
        length: Number of epochs of the run.
        min_factor: Part of the learning rate that it ends at.
        warmup_epochs: Number of epochs, maybe a fraction, over which the learning rate rises first.
        start_factor: Part of the learning rate that the warm-up starts from, less than 1.
        num_cycles: How many times it falls; each time starts from the full learning rate, and all last equally long.
        num_epochs: Number of epochs that it lasts, warm-up included; all of the run if absent.
        per: Whether the learning rate is set for each epoch or for each update.
        verbose: Log the learning rate when it changes.

    Raises:
        ConfigError: `start_factor` is not less than 1.
    """
    require_below_one("start_factor", start_factor)
    end = num_epochs or length

    def factor(epochs: float) -> float:
        if epochs < warmup_epochs:
            return start_factor + (1 - start_factor) * (epochs / warmup_epochs)
        cycles = num_cycles * (epochs - warmup_epochs) / (end - warmup_epochs) if epochs < end else num_cycles
        place = cycles % 1 if cycles < num_cycles else 1.0
        return min_factor + (1 - min_factor) * (1 + math.cos(math.pi * place)) / 2

    return Schedule(optimizer, factor, num_epochs=num_epochs, per=per, verbose=verbose)


@component("Polynomial")
def polynomial(
    optimizer: torch.optim.Optimizer,
    length: float,
    *,
    power: Positive = 1.0,
    min_factor: Fraction = 0.0,
    num_epochs: Count | None = None,
    per: Literal["epoch", "step"] = "epoch",
    verbose: bool = True,
) -> Schedule:
    """Falls as a power of the part of the run that is left.

    Args:
        optimizer: Whose learning rate is set.
        length: Number of epochs of the run.
        power: The power: 1 is a straight line, 0.9 is common for segmentation.
        min_factor: Part of the learning rate that it ends at.
        num_epochs: Number of epochs that it lasts; all of the run if absent.
        per: Whether the learning rate is set for each epoch or for each update.
        verbose: Log the learning rate when it changes.
    """
    end = num_epochs or length

    def factor(epochs: float) -> float:
        return min_factor + (1 - min_factor) * math.pow(1 - min(epochs / end, 1.0), power)

    return Schedule(optimizer, factor, num_epochs=num_epochs, per=per, verbose=verbose)
