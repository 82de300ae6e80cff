"""One trial of a sweep: a folder, values, and how it ended."""

from __future__ import annotations

import csv
import fcntl
import math
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from rmldnn.disk import lockable
from rmldnn.output.places import writing
from rmldnn.output.rows import less_is_better
from rmldnn.output.run_folder import HISTORY, STATES

TRIALS = "trials"
LOG = "log.txt"
MODEL = "model"
_LOCK = ".worker"
_NAMES = {"train_loss": "train_loss", "test_loss": "test_loss", "test_accuracy": "accuracy"}
"""Columns of the history by the names that users write."""


@dataclass(frozen=True)
class Outcome:
    """How a trial has ended.

    Args:
        state: `complete`, `pruned`, `failed`, or `killed` if something else ended its process.
        value: The best that `monitor` was; None if it never was a number.
        epoch: When it was best.
        epochs: How many there were.
        seconds: Seconds of training and evaluation.
        failure: What went wrong, in a line.
        copy_of: Number of the trial with the same values that was run in its place.
    """

    FACTS: ClassVar[tuple[str, ...]] = ("epoch", "epochs", "seconds", "failure", "copy_of")
    state: str
    value: float | None = None
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    failure: str = ""
    copy_of: int | None = None

    def copied(self, number: int) -> Outcome:
        """The outcome of another trial with the values of this one, which has this number and is not run."""
        return replace(self, seconds=0.0, copy_of=number)

    def facts(self) -> dict[str, Any]:
        """What a study remembers besides state and value."""
        return {name: getattr(self, name) for name in self.FACTS}


@dataclass
class Trial:
    """A run with its own values.

    Args:
        number: From 0.
        values: What is tried, by path in the configuration.
        sweep_folder: The folder of the sweep.
        live: Optuna's trial, if it runs.
        goes_on: Whether an earlier worker has begun it.
        reported: Epochs of which the study knows.
        hopeless: Whether it promises too little.
        remembering: Tells of what goes wrong with the study.
    """

    number: int
    values: Mapping[str, Any]
    sweep_folder: Path
    live: Any = None
    goes_on: bool = False
    reported: set[int] = field(default_factory=set)
    hopeless: bool = False
    remembering: Callable[[], AbstractContextManager[None]] = nullcontext
    _lock: int | None = None

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return self.sweep_folder / TRIALS / str(self.number)

    @property
    def progress(self) -> str:
        """How far its run has come, as far as it can go on from there."""
        return " ".join(sorted(path.name for path in (self.folder / STATES).glob("epoch_*")))

    def begin(self) -> None:
        """Makes it this worker's own, with nothing of an earlier trial in its folder.

        Raises:
            ConfigError: The folder cannot be written.
        """
        with writing(str(self.folder), key="--sweep-folder"):
            self.release()
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.take()

    def take(self) -> bool:
        """Makes it this worker's own until this process ends; whether it was nobody's."""
        self.folder.mkdir(exist_ok=True)
        lock = lockable(self.folder / _LOCK)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Lets go of it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def note(self, key: str, value: Any) -> None:
        """Adds a fact to what the study remembers."""
        with self.remembering():
            self.live.set_user_attr(key, value)

    def report(self, scores: Mapping[int, float]) -> bool:
        """Tells the study of epochs; whether the trial promises so little that it is to end.

        What comes behind the epoch of that judgement is not told: how far a run has come by then is a matter of chance.
        """
        for epoch, value in scores.items():
            if not self.hopeless and epoch not in self.reported and math.isfinite(value):
                with self.remembering():
                    self.live.report(value, epoch)
                    self.reported.add(epoch)
                    self.hopeless = bool(self.live.should_prune())
        return self.hopeless

    def scores(self, monitor: str) -> dict[int, float]:
        """What `monitor` was in each epoch, as far as the run is; nothing if it has no such number."""
        rows = self._history()
        name = _NAMES.get(monitor.lower(), monitor.lower().removeprefix("test_"))
        columns = {column.lower(): column for column in rows[0]} if rows else {}
        if name not in columns:
            return {}
        return {int(row["epoch"]): float(row[columns[name]] or "nan") for row in rows}

    def measured(self, monitor: str) -> Outcome:
        """What its run has come to: the best value of `monitor`, and when; numbers that are none do not count."""
        until = max(self.reported) if self.hopeless else math.inf
        rows = [row for row in self._history() if int(row["epoch"]) <= until]
        scores = {epoch: value for epoch, value in self.scores(monitor).items() if epoch <= until}
        seconds = sum(float(row[key] or 0) for row in rows for key in ("train_seconds", "test_seconds"))
        finite = {epoch: value for epoch, value in scores.items() if math.isfinite(value)}
        choose = min if less_is_better(monitor) else max
        epoch = choose(finite, key=lambda number: finite[number], default=0)  # the first of equals
        return Outcome("complete", finite.get(epoch), epoch, len(rows), round(seconds, 2))

    def _history(self) -> list[dict[str, str]]:
        """The whole rows of its history, one for each epoch."""
        path = self.folder / HISTORY[0]
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))

    def tidy(self) -> None:
        """Removes the states of a training that does not go on: they are the largest part of a run folder."""
        shutil.rmtree(self.folder / STATES, ignore_errors=True)
