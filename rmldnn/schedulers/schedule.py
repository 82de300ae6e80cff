"""What all learning-rate schedules are: a factor for each number of epochs that are over."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rmldnn.errors import ConfigError, Problem

log = logging.getLogger("rmldnn")

PATH = "optimizer.lr_scheduler"
"""Where schedules stand in a configuration."""


class Schedule:
    """Multiplies the initial learning rate of each group of parameters by a factor.

    The factor is a closed formula and not a product that is kept up to date, so a resumed run has exactly the same
    rates. Initial values are kept in the optimizer's groups, as `initial_lr` and `initial_momentum`.

    Args:
        optimizer: Whose learning rate is set, now to what it is before the first epoch.
        formula: From the number of epochs that are over, maybe a fraction, to the factor.
        num_epochs: Number of epochs after which nothing changes any more; endless if absent.
        per: `step` follows the formula within epochs, `epoch` keeps the rate of an epoch's beginning.
        verbose: Log the learning rate when it differs from that of an epoch before.
        momentum: From the number of epochs that are over to the momentum, or beta1; not touched if absent.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        formula: Callable[[float], float],
        *,
        num_epochs: int | None = None,
        per: str = "epoch",
        verbose: bool = True,
        momentum: Callable[[float], float] | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.num_epochs = num_epochs
        self.per_step = per == "step"
        self.verbose = verbose
        self.done = 0.0
        self._formula = formula
        self._momentum = momentum
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            if momentum is not None:
                group.setdefault("initial_momentum", group["betas"][0] if "betas" in group else group["momentum"])
        self._set()
        self._told = self._rates()

    def factor(self, done: float) -> float:
        """The factor after so many epochs."""
        return self._formula(self._clock(done))

    def momentum(self, done: float) -> float | None:
        """The momentum after so many epochs; None for the initial one."""
        return None if self._momentum is None else self._momentum(self._clock(done))

    def step(self, done: float | None = None, loss: Tensor | float | None = None) -> None:
        """Sets the learning rate of what comes next.

        Args:
            done: Number of epochs that are over. The loop says it at the end of each epoch, and, if `per_step`, after
                each update, as a fraction. Absent, it is one epoch more than before.
            loss: At the end of an epoch the loss of its evaluation or, without one, of its training.
        """
        self.done = math.floor(self.done) + 1 if done is None else done
        if loss is not None:
            self.observe(self.done, float(loss))
        self._set()
        if self.done == math.floor(self.done):
            self._tell()

    def observe(self, done: float, loss: float) -> None:
        """Takes notice of the loss at the end of an epoch; most schedules do not care."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep: plain numbers."""
        return {"done": self.done, **self.memory()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state_dict` was taken; the optimizer has its own state already."""
        self.done = state["done"]
        self.recall(state)
        self._set()
        self._told = self._rates()

    def memory(self) -> dict[str, Any]:
        """What the formula depends on besides time."""
        return {}

    def recall(self, state: Mapping[str, Any]) -> None:
        """Takes back what `memory` gave; what a state of another schedule lacks stays as it is."""

    def _clock(self, done: float) -> float:
        done = done if self.per_step else math.floor(done)
        return done if self.num_epochs is None else min(done, self.num_epochs)

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _set(self) -> None:
        factor, momentum = self.factor(self.done), self.momentum(self.done)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
            if "initial_momentum" in group:
                value = group["initial_momentum"] if momentum is None else momentum
                group.update({"betas": (value, *group["betas"][1:])} if "betas" in group else {"momentum": value})

    def _tell(self) -> None:
        before, self._told = self._told, self._rates()
        if self.verbose and self._told != before:
            log.info("Learning rate adjusted to %s", ", ".join(dict.fromkeys(f"{rate:g}" for rate in self._told)))


def require_below_one(key: str, value: float) -> None:
    """Checks a factor that must make things smaller.

    Raises:
        ConfigError: It does not.
    """
    if value >= 1:
        raise ConfigError(Problem(f"{PATH}.{key}", f"must be less than 1, got {value:g}"))
