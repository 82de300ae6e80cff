"""The process of a trial: an ordinary run of `rmldnn`, with a run folder of its own."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmldnn.config.sweep import own
from rmldnn.engine.leaving import SIGNALS
from rmldnn.errors import COMMAND_LINE
from rmldnn.output.places import saving
from rmldnn.output.run_folder import HISTORY
from rmldnn.sweeps import process
from rmldnn.sweeps.space import assigned
from rmldnn.sweeps.trial import LOG, MODEL, Outcome, Trial

_ERROR = "rmldnn: error: "
_FROM_OUTSIDE = (*SIGNALS, signal.SIGKILL)
"""What ends the process of a trial without any fault of the trial's: batch systems, people, the kernel."""
_PATIENCE = 120.0
"""Seconds for which a run that was told to leave, or left alone, may save its state and let go of its folder."""


def places(trial: Trial, base: Mapping[str, Any], monitor: str) -> list[str]:
    """What the sweep sets for each trial: outputs go into its folder, its best network is kept, nothing is predicted.

    Args:
        trial: The trial.
        base: The composed configuration.
        monitor: The number by which an epoch is the best.
    """
    values: dict[str, Any] = {
        "run_folder": str(trial.folder),
        "checkpoints.save": str(trial.folder / MODEL),
        "checkpoints.keep": {"last": 1, "best": monitor},
        "checkpoints.resume": "auto" if trial.goes_on else None,
    }
    if base.get("outfile"):
        values["outfile"] = str(trial.folder / Path(base["outfile"]).name)
    for key in ("test_output_path", "hdf5_outfile"):
        if base["data"].get(key):
            values[f"data.{key}"] = None
    return assigned(values)


class Running:
    """A trial that runs.

    Args:
        trial: The trial, which is this worker's own.
        command: The command line behind `rmldnn`, without the trial's values.
        environment: Its variables.
        monitor: What is to become best.
        base: The composed configuration.
        part: Cores that it has to keep to; all that there are if None.

    Raises:
        RmldnnError: Its log cannot be written, or no process can be started.
    """

    def __init__(
        self,
        trial: Trial,
        command: Sequence[str],
        environment: Mapping[str, str],
        monitor: str,
        base: Mapping[str, Any],
        part: Collection[int] | None = None,
    ) -> None:
        self.trial = trial
        self._monitor = monitor
        self._pruned = False
        self._changed = 0.0
        self._latest = math.inf
        self._epochs = trial.values.get("num_epochs", base.get("num_epochs", 1))
        if trial.goes_on:
            process.require_free(trial.folder, _PATIENCE)
        words = [sys.executable, "-m", "rmldnn", *command, *assigned(trial.values), *places(trial, base, monitor)]
        self._log = trial.folder / LOG
        with saving(str(self._log)), self._log.open("ab") as log:
            log.write(f"$ {shlex.join(words)}\n".encode())
            log.flush()
            self._start = log.tell()
            self._process = process.started(words, log, environment, part)

    def look(self) -> Outcome | None:
        """Tells the study what is new, and ends a run that promises too little; how the trial ended, if it has."""
        over = self.over
        self._report()
        if not over:
            return None
        code = int(self._process.returncode)
        code = code if code >= 0 else 128 - code
        outcome = self.trial.measured(self._monitor)
        if self._pruned:  # even if it was quicker
            return replace(outcome, state="pruned")
        if code == 0 and outcome.value is not None:
            return replace(outcome, state="complete")
        state = "killed" if code - 128 in _FROM_OUTSIDE else "failed"
        return replace(outcome, state=state, value=None, failure=self._failure(code))

    @property
    def over(self) -> bool:
        """Whether the process has ended; one that does not leave within two minutes is ended."""
        if self._process.poll() is None and time.monotonic() > self._latest:
            self._end()
        return self._process.poll() is not None

    def leave(self) -> None:
        """Tells it to save its state and to end."""
        self._latest = min(self._latest, time.monotonic() + _PATIENCE)
        with suppress(OSError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, if it has not ended."""
        if self._process.poll() is None:
            self._end()

    def _end(self) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _report(self) -> None:
        try:
            changed = (self.trial.folder / HISTORY[0]).stat().st_mtime
            scores = {} if changed == self._changed else self.trial.scores(self._monitor)
        except OSError:  # not there yet, or for a moment
            return
        self._changed = changed
        judged = {epoch: value for epoch, value in scores.items() if epoch < self._epochs}  # the last spares nothing
        if self.trial.report(judged) and not self._pruned:
            self._pruned = True
            self.leave()

    def _failure(self, code: int) -> str:
        """What went wrong, in a line."""
        with self._log.open("rb") as log:
            log.seek(self._start)
            lines = log.read().decode(errors="replace").splitlines()
        errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
        if errors:
            words = errors[0].removeprefix(f"{COMMAND_LINE}: ")  # which the sweep has written
            path, colon, message = words.partition(": ")
            told = own(path)
            return f"{told}: {message}" if colon and told else words
        if code - 128 in set(signal.Signals):
            return f"ended by {signal.Signals(code - 128).name}"
        if code == 0:
            return f"{self._monitor} never was a number"
        return lines[-1] if lines else f"ended with exit code {code}"
