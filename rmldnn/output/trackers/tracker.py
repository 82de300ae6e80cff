"""What all trackers have in common: which numbers of a run they are given, and when."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rmldnn.component import show
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.history import numbers
from rmldnn.output.updates import HOLD
from rmldnn.steps import EpochEnd, EvalEnd, Step, TrainEnd, TrainStep

log = logging.getLogger("rmldnn")


class Tracker(ABC):
    """Gives a service the newest update once a second, and the numbers of each epoch, by the names of the history.

    Everything is given with the number of updates until then. The service is told of the run by the first step, since a
    run that goes on with an earlier one is known as such only then. A run that goes on repeats what came behind its
    state; none of that is given twice.
    """

    def __init__(self) -> None:
        self._step = 0
        self._update: dict[str, Any] = {}
        self._epoch: dict[str, Any] = {}
        self._given = 0.0
        self._behind = (0, 0)
        self._opened = self._resumed = self._trained = self._complete = self._told = False

    @abstractmethod
    def _open(self, first: int | None) -> tuple[int, int]:
        """Begins a run, or goes on with one, which then comes with update `first` and what is behind it.

        Returns:
            The last update and the last epoch that the service keeps, and that it is not to be given again.
        """

    @abstractmethod
    def _log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes scalars; must not wait for a network."""

    @abstractmethod
    def _flush(self) -> None:
        """Brings all scalars to where they survive the end of this process."""

    @abstractmethod
    def _end(self, *, complete: bool) -> None:
        """Ends the run."""

    def consume(self, step: Step) -> None:
        """Gives the service what is due of a step."""
        if not self._opened:
            self._complete = False
            self._begin()
        match step:
            case TrainStep():
                self._trained = True
                self._step = (step.epoch - 1) * step.num_batches + step.batch
                self._update = {"loss": step.loss, "grad_norm": step.grad_norm}
                if time.monotonic() - self._given >= HOLD:
                    self._give_update()
            case TrainEnd():
                self._trained = True
                self._epoch = {"epoch": step.epoch, **numbers(step)}
            case EvalEnd():
                self._epoch |= {"epoch": step.epoch, **numbers(step)}
                if not self._trained:
                    self._give_epoch()
                    self._complete = True
            case EpochEnd():
                self._give_update()
                self._give_epoch()
                self._update = {}
                self._complete = step.last

    def close(self) -> None:
        """Gives the last update, and ends the run: as complete if it is, and else as failed."""
        if self._resumed and self._complete and not self._opened:  # killed between its last state and this
            self._try(self._begin)
        if self._opened:
            self._opened = self._resumed = False
            self._give_update()
            self._try(self._end, complete=self._complete)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know; all numbers given so far are then safe."""
        if self._opened:
            self._try(self._flush)
        return {"step": self._step, "update": _floats(self._update), "complete": self._complete}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on with the run of an earlier process.

        Args:
            state: What `state_dict` gave.
        """
        self._step, self._update, self._complete = state["step"], dict(state["update"]), state["complete"]
        self._resumed = True

    def failed(self, error: Exception) -> None:
        """Says once that the service has lost numbers."""
        if not self._told:
            self._told = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            log.warning(f"{type(self).__name__} misses numbers of this run, which `history.csv` has: {reason}")

    def _begin(self) -> None:
        self._behind = self._open(self._step + (not self._update) if self._resumed else None)
        self._opened = True
        self._give_update()  # the last one before a state was saved, where the run goes on behind that

    def _give_update(self) -> None:
        if self._update and self._step > self._behind[0]:
            self._try(self._log, self._step, _floats(self._update))
            self._behind = (self._step, self._behind[1])
            self._given = time.monotonic()

    def _give_epoch(self) -> None:
        epoch, self._epoch = self._epoch, {}
        if epoch and epoch["epoch"] > self._behind[1]:
            scalars = {name: float(value) for name, value in epoch.items() if not isinstance(value, list)}
            self._try(self._log, self._step, scalars)
            self._behind = (self._behind[0], epoch["epoch"])

    def _try(self, act: Callable[..., None], *arguments: Any, **keywords: Any) -> None:
        """Does something with the service, whose faults end no training."""
        try:
            act(*arguments, **keywords)
        except Exception as error:
            self.failed(error)


def parameters(config: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    """A configuration as a flat list: `optimizer.learning_rate`, 0.1; lists are texts, what is null is left out."""
    for key, value in config.items():
        path = f"{place}.{key}" if place else key
        match value:
            case None:
                pass
            case list() if path == "layers":
                yield path, f"{len(value)} layers"
            case Mapping() if path == "layers":
                yield path, "a model"
            case Mapping():
                yield from parameters(value, path)
            case str() | int() | float():
                yield path, value
            case _:
                yield path, show(value, 500)


def missing(name: str, error: ImportError) -> ConfigError:
    """The error of a tracker whose package cannot be imported."""
    message = f"`{name}` needs a package that is not installed ({error}); pip install 'rmldnn[{name.lower()}]'"
    return ConfigError(Problem("tracking", message))


def unreachable(name: str, error: Exception, remedy: str) -> ConfigError:
    """The error of a tracker that does not take a run."""
    reason = (str(error) or type(error).__name__).strip().splitlines()[0]
    return ConfigError(Problem("tracking", f"`{name}` does not take the run: {reason}; {remedy}"))


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
