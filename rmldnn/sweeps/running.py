"""The process of a trial: an ordinary run of `rmldnn`, with a run folder of its own."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmldnn.disk import lockable
from rmldnn.engine.leaving import SIGNALS, leave_with_parent
from rmldnn.errors import COMMAND_LINE, RmldnnError
from rmldnn.output.places import saving
from rmldnn.output.run_folder import HISTORY, LOCK
from rmldnn.sweeps.faults import OURS
from rmldnn.sweeps.space import assigned
from rmldnn.sweeps.trial import LOG, MODEL, Outcome, Trial

_ERROR = "rmldnn: error: "
_FROM_OUTSIDE = (*SIGNALS, signal.SIGKILL)
"""What ends the process of a trial without any fault of the trial's: batch systems, people, the kernel."""
_PATIENCE = 120.0
"""Seconds for which a run that was left alone may save its state, and let go of its folder."""


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

    Raises:
        RmldnnError: Its log cannot be written.
    """

    def __init__(self, trial: Trial, command: Sequence[str], environment: Mapping[str, str], monitor: str) -> None:
        self.trial = trial
        self._monitor = monitor
        self._pruned = False
        self._changed = 0.0
        if trial.goes_on:
            _wait(trial.folder)
        words = [sys.executable, "-m", "rmldnn", *command, *assigned(trial.values)]
        self._log = trial.folder / LOG
        with saving(str(self._log)), self._log.open("ab") as log:
            log.write(f"$ {shlex.join(words)}\n".encode())
            log.flush()
            self._start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - a program of ours
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches it once and by us
                preexec_fn=leave_with_parent,  # a worker that is killed takes its trial along, which saves its state
            )

    def look(self) -> Outcome | None:
        """Tells the study what is new, and ends a run that promises too little; how the trial ended, if it has."""
        code = self._process.poll()
        self._report()
        if code is None:
            return None
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
        """Whether the process has ended."""
        return self._process.poll() is not None

    def leave(self) -> None:
        """Tells it to save its state and to end."""
        with suppress(OSError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, if it has not ended."""
        if not self.over:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _report(self) -> None:
        history = self.trial.folder / HISTORY[0]
        with suppress(OSError, KeyError):
            changed = history.stat().st_mtime
            if changed == self._changed:
                return
            self._changed = changed
            if self.trial.report(self.trial.scores(self._monitor)) and not self._pruned:
                self._pruned = True
                self.leave()

    def _failure(self, code: int) -> str:
        """What went wrong, in a line."""
        with self._log.open("rb") as log:
            log.seek(self._start)
            lines = log.read().decode(errors="replace").splitlines()
        told = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
        if told:
            words = told[0].removeprefix(f"{COMMAND_LINE}: ")  # which the sweep has written
            path, colon, message = words.partition(": ")
            return f"{OURS[path]}: {message}" if colon and path in OURS else words
        if code > 128:
            return f"ended by {signal.Signals(code - 128).name}"
        if code == 0:
            return f"{self._monitor} never was a number"
        return lines[-1] if lines else f"ended with exit code {code}"


def _wait(folder: Path) -> None:
    """Waits for a run that is just leaving a folder.

    Raises:
        RmldnnError: It does not.
    """
    handle = lockable(folder / LOCK)
    deadline = time.monotonic() + _PATIENCE
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    message = f"an earlier run still writes to `{folder}`; end it, then give the command again"
                    raise RmldnnError(message) from error
                time.sleep(0.2)
    finally:
        os.close(handle)
