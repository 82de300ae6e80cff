"""The settings of a sweep: the keys of the section `sweep` that are no parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rmldnn.component import component
from rmldnn.output.rows import less_is_better
from rmldnn.types import Count, Index


@component("sweep")
def sweep(
    *,
    num_trials: Count | None = None,
    monitor: str = "test_loss",
    sampler: Literal["auto", "grid", "random", "tpe", "gp", "cmaes", "qmc"] = "auto",
    pruner: Literal["auto", "none", "median", "hyperband", "successive_halving"] = "auto",
    num_startup_trials: Index = 5,
    min_epochs: Count = 1,
    storage: Literal["sqlite", "journal"] = "sqlite",
) -> Settings:
    """Runs a configuration many times with other values, to find the best.

    All other keys of the section are parameters: keys of the configuration, with dots, each with a list of values
    or a range: `{"optimizer": ["Adam", "SGD"], "optimizer.learning_rate": {"log": [1e-5, 1e-2]}}`. Ranges are
    `uniform`, `log`, `integer` and `log_integer`, each with the least and the greatest; `step` makes those of `uniform`
    and `integer` coarser.

    Args:
        num_trials: Number of trials; all combinations of a grid and 20 of other samplers if absent. Of lists alone, no
            more than there are combinations.
        monitor: What is to become best: `train_loss`, `test_loss`, `test_accuracy`, or `test_` with the name of a
            metric behind it, such as `test_IoU`. The best epoch of a trial counts.
        sampler: Who chooses the values of a trial. `grid` takes all combinations in turn, and needs lists; `random` and
            `qmc` (evenly spread) look at no results; `tpe`, `gp` (Gaussian processes) and `cmaes` learn from those of
            earlier trials. `auto` is `grid` if there are lists only and no `num_trials` that is less than their
            combinations, and `tpe` otherwise.
        pruner: Who ends trials that promise little, by each epoch's `monitor`. `median` ends those that are worse than
            half of the others at the same epoch, `hyperband` and `successive_halving` give more epochs to the better
            ones. `auto` is `none` for a grid and `median` otherwise.
        num_startup_trials: Number of trials that are drawn at random before `tpe`, `gp` and `cmaes` learn, and that are
            completed before `median` ends others.
        min_epochs: No trial is pruned before the end of this epoch.
        storage: What remembers the trials: `sqlite`, a data base, or `journal`, a file to which lines are appended, for
            file systems of clusters, where several machines work on one sweep.
    """
    return Settings(num_trials, monitor, sampler, pruner, num_startup_trials, min_epochs, storage)


@dataclass(frozen=True)
class Settings:
    """See `sweep`."""

    num_trials: int | None
    monitor: str
    sampler: str
    pruner: str
    num_startup_trials: int
    min_epochs: int
    storage: str

    @property
    def minimize(self) -> bool:
        """Whether the least is the best."""
        return less_is_better(self.monitor)
