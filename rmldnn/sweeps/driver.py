"""Runs the trials of a sweep, some at a time, until there are enough; goes on where an earlier worker was killed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rmldnn.config.keys import Values
from rmldnn.engine import cores
from rmldnn.engine.leaving import Leave
from rmldnn.errors import RmldnnError, StoppedError
from rmldnn.output.rows import number
from rmldnn.sweeps.report import shown
from rmldnn.sweeps.running import Running, places
from rmldnn.sweeps.study import Study
from rmldnn.sweeps.trial import LOG, Outcome, Trial

log = logging.getLogger("rmldnn")

_PACE = 0.1
_HOPELESS = 3
"""Trials that fail with the same words, with none that has not: whatever is wrong is wrong with all of them."""
THREADS, DEVICES = "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Plan:
    """How trials are run.

    Args:
        command: The command line of each behind `rmldnn`, without what the sweep sets.
        base: The composed configuration of the first.
        monitor: What is to become best.
        workers: How many run at once.
        devices: GPUs, as `CUDA_VISIBLE_DEVICES` calls them; none computes on whatever a run finds.
        environment: Variables of all of them.
    """

    command: Sequence[str]
    base: Values
    monitor: str
    workers: int
    devices: Sequence[str]
    environment: Mapping[str, str]

    def surroundings(self, slot: int) -> dict[str, str]:
        """The variables of a trial: GPUs are shared out, and else cores.

        Args:
            slot: Number of the trial among those that run at once.
        """
        made = dict(self.environment)
        if self.devices and self.workers > 1:
            made[DEVICES] = ",".join(self.devices[slot :: self.workers]) or self.devices[slot % len(self.devices)]
        elif self.workers > 1:
            made.setdefault(THREADS, str(max(1, len(cores.usable()) // self.workers)))
        return made


def drive(study: Study, plan: Plan, ended: Callable[[Trial, Outcome], None]) -> None:
    """Runs trials until the sweep has all of them.

    Args:
        study: What remembers them.
        plan: How they are run.
        ended: Told of each that has ended.

    Raises:
        StoppedError: This process was told to leave; trials that ran have saved their states.
        RmldnnError: All trials fail alike, or what remembers them cannot be written.
    """
    running: dict[int, Running] = {}
    failures: deque[str] = deque(maxlen=_HOPELESS)
    with Leave() as leave:
        try:
            while True:
                while len(running) < plan.workers and not leave.signal and (trial := study.next()) is not None:
                    slot = min(set(range(plan.workers)) - running.keys())
                    running[slot] = _started(trial, plan, slot)
                if not running:
                    break
                if leave.signal:
                    _leave(running)
                    break
                for slot, one in list(running.items()):
                    outcome = one.look()
                    if outcome is not None and not leave.signal:
                        del running[slot]
                        if outcome.state == "killed":
                            if study.interrupted(one.trial):
                                log.warning("Trial %d was %s", one.trial.number, outcome.failure)
                                continue
                            outcome = replace(outcome, state="failed", failure=f"{outcome.failure}, again and again")
                        one.trial.tidy()
                        study.tell(one.trial, outcome)
                        ended(one.trial, outcome)
                        if outcome.state == "failed":
                            failures.append(outcome.failure.replace(str(one.trial.folder), ""))
                            _require_hope(study, failures, one.trial)
                time.sleep(_PACE)
        finally:
            for one in running.values():
                one.kill()
    if leave.signal:
        over = len(study.trials())
        message = f"the sweep was told to leave; {over} of {study.total} trials are over, the same command goes on"
        raise StoppedError(leave.signal, message)


def _started(trial: Trial, plan: Plan, slot: int) -> Running:
    if trial.goes_on:
        log.info("Trial %d goes on", trial.number)
    command = [*plan.command, *places(trial, plan.base, plan.monitor)]
    return Running(trial, command, plan.surroundings(slot), plan.monitor)


def _leave(running: Mapping[int, Running]) -> None:
    """Lets trials save their states; a second Ctrl-C ends them at once."""
    for one in running.values():
        one.leave()
    while not all(one.over for one in running.values()):
        time.sleep(_PACE)


def _require_hope(study: Study, failures: Sequence[str], last: Trial) -> None:
    alike = len(failures) == _HOPELESS and len(set(failures)) == 1
    if alike and all(outcome.state == "failed" for _, outcome in study.trials()):
        told = f"{_HOPELESS} trials failed alike, and none has not: {failures[-1]}; see `{last.folder / LOG}`"
        raise RmldnnError(f"{told}; the same command tries them once more")


def described(trial: Trial, outcome: Outcome, monitor: str) -> str:
    """What is told of a trial that has ended, in a line."""
    values = ", ".join(f"{path}={'null' if value is None else shown(value)}" for path, value in trial.values.items())
    of = f" of {outcome.epochs}" if outcome.epochs else ""
    value = "" if outcome.value is None else f", {monitor} {number(outcome.value)} in epoch {outcome.epoch}{of}"
    why = f": {outcome.failure}" if outcome.failure else ""
    return f"Trial {trial.number} {outcome.state}{value} ({values}){why}"
