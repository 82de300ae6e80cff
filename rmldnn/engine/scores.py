"""The numbers of an epoch by name, and which of two is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.output.rows import less_is_better
from rmldnn.steps import EvalEnd, Step, TrainEnd


class Scores:
    """Follows the steps of a training; reads tensors only when asked for a number.

    Names are `train_loss`, `test_loss`, `test_accuracy`, and `test_` with the name of a metric behind it.
    """

    def __init__(self) -> None:
        self._values: Mapping[str, Tensor | None] = {}

    def follow(self, step: Step) -> None:
        """Takes note of a step."""
        match step:
            case TrainEnd():
                self._values = {"train_loss": step.loss}
            case EvalEnd():
                metrics = {f"test_{name}": value for name, value in step.metrics.items() if value.ndim == 0}
                self._values = {**self._values, "test_loss": step.loss, "test_accuracy": step.accuracy, **metrics}

    def value(self, name: str, key: str) -> float:
        """A number of the epoch that was evaluated last.

        Args:
            name: Its name, in any case.
            key: The key of the configuration that asks for it.

        Raises:
            ConfigError: There is no such number.
        """
        known = {given.lower(): value for given, value in self._values.items() if value is not None}
        if name.lower() not in known:
            names = ", ".join(f"`{given}`" for given, value in self._values.items() if value is not None)
            raise ConfigError(Problem(key, f"this run has no `{name}`; it has {names}"))
        return float(known[name.lower()])


def require_scores(wanted: Mapping[str, str | None], known: Sequence[str]) -> None:
    """Refuses names of numbers that a training will not have.

    Args:
        wanted: What the user wrote, if anything, by key of the configuration.
        known: What there will be; of a metric, also the numbers of single classes.

    Raises:
        ConfigError: There will be no such numbers; tells of all.
    """
    there = [given.lower() for given in known]
    having = f"it has {', '.join(f'`{given}`' for given in known)}"
    if not any(given.startswith("test_") for given in known):
        having += ", as there is no test set with targets (`data.test_input_path`)"
    missing = {key: name for key, name in wanted.items() if name and name.partition("/")[0].lower() not in there}
    if missing:
        raise ConfigError(
            [Problem(key, f"this run has no `{name}`; {having}{_why(name)}") for key, name in missing.items()]
        )


def _why(name: str) -> str:
    return "; accuracy comes with losses that rmldnn brings, name a metric" if name.lower() == "test_accuracy" else ""


def better(name: str, one: float, other: float, by: float = 0.0) -> bool:
    """Whether a number is better than another one, by more than some amount: losses and distances if less.

    What is no number is never better, and any number is better than it.
    """
    if math.isnan(one) or math.isnan(other):
        return not math.isnan(one)
    return one < other - by if less_is_better(name) else one > other + by
