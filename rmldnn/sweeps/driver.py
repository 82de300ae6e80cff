"""Runs the trials of a sweep, some at a time, until there are enough; goes on where an earlier worker was killed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from rmldnn.config.keys import Values
from rmldnn.engine import cores
from rmldnn.engine.leaving import Leave
from rmldnn.errors import ConfigError, Problem, RmldnnError, StoppedError
from rmldnn.output.rows import number
from rmldnn.sweeps.report import shown
from rmldnn.sweeps.running import Running
from rmldnn.sweeps.study import Study
from rmldnn.sweeps.trial import LOG, Outcome, Trial

log = logging.getLogger("rmldnn")

_PACE = 0.1
_ALIKE, _DOUBTFUL = 3, 10
"""Trials in a row that fail with the same words, with none that has not, and after some that have not: whatever is
wrong is wrong with all of them."""
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
        procs: Processes of each.
        changed: Names the files of all trials that are no longer what they were.
    """

    command: Sequence[str]
    base: Values
    monitor: str
    workers: int
    devices: Sequence[str]
    environment: Mapping[str, str]
    procs: int = 1
    changed: Callable[[], Sequence[str]] = tuple

    def part(self, slot: int) -> Collection[int] | None:
        """The cores of a trial, if cores are shared out and there are enough.

        Args:
            slot: Number of the trial among those that run at once.
        """
        usable = cores.usable()
        if self.workers == 1 or self.devices or len(usable) < self.workers:
            return None
        return cores.shares(usable, self.workers)[slot]

    def surroundings(self, slot: int) -> dict[str, str]:
        """The variables of a trial: its GPUs, and threads where those that its cores suggest would be too many.

        Args:
            slot: Number of the trial among those that run at once.
        """
        made = dict(self.environment)
        if self.devices and self.workers > 1:
            made[DEVICES] = ",".join(self.devices[slot :: self.workers]) or self.devices[slot % len(self.devices)]
        elif self.workers > 1 and (self.part(slot) is None or cores.worth() < len(cores.usable())):
            made.setdefault(THREADS, str(max(1, cores.worth() // (self.workers * self.procs))))
        return made


def drive(study: Study, plan: Plan, ended: Callable[[Trial, Outcome], None]) -> None:
    """Runs trials until the sweep has all of them.

    Args:
        study: What remembers them.
        plan: How they are run.
        ended: Told of each that has ended.

    Raises:
        StoppedError: This process was told to leave; trials that ran have saved their states.
        ConfigError: A file that all trials read was changed meanwhile; those that ran have ended.
        RmldnnError: Trials fail alike, or the study cannot be written; those that ran have saved their states.
    """
    running: dict[int, Running] = {}
    failures: deque[str] = deque(maxlen=_DOUBTFUL)
    changed: Sequence[str] = ()
    with Leave() as leave:
        try:
            while True:
                while len(running) < plan.workers and not leave.signal and not changed:
                    trial = study.next()
                    if trial is None:
                        break
                    changed = plan.changed()
                    if changed:
                        trial.release()
                        break
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
                        _end(study, one.trial, outcome, failures, ended)
                time.sleep(_PACE)
        except Exception:
            _leave(running)
            raise
        finally:
            for one in running.values():
                one.kill()
    over = len(study.trials())
    if leave.signal:
        message = f"the sweep was told to leave; {over} of {study.total} trials are over, the same command goes on"
        raise StoppedError(leave.signal, message)
    if changed:
        names = ", ".join(f"`{name}`" for name in changed)
        message = (
            f"{names} changed meanwhile, so further trials would not compare with the {over} that are over; restore"
        )
        message += " what was there, and the same command goes on, or name another folder by --sweep-folder"
        raise ConfigError(Problem("sweep", message))


def _started(trial: Trial, plan: Plan, slot: int) -> Running:
    if trial.goes_on:
        log.info("Trial %d goes on", trial.number)
    return Running(trial, plan.command, plan.surroundings(slot), plan.monitor, plan.base, plan.part(slot))


def _leave(running: Mapping[int, Running]) -> None:
    """Lets trials save their states; a second Ctrl-C ends them at once."""
    for one in running.values():
        one.leave()
    while not all(one.over for one in running.values()):
        time.sleep(_PACE)


def _end(
    study: Study, trial: Trial, outcome: Outcome, failures: deque[str], ended: Callable[[Trial, Outcome], None]
) -> None:
    """Remembers how a trial has ended; one that something else has ended goes on some time.

    Raises:
        RmldnnError: Trials fail alike.
    """
    if outcome.state == "killed":
        if study.interrupted(trial):
            log.warning("Trial %d was %s", trial.number, outcome.failure)
            return
        outcome = replace(outcome, state="failed", failure=f"{outcome.failure}, again and again")
    study.tell(trial, outcome)
    ended(trial, outcome)
    if outcome.state == "failed":
        failures.append(outcome.failure.replace(str(trial.folder), ""))  # its own place makes no other words
        _require_hope(study, failures, trial, outcome.failure)
    else:
        failures.clear()


def _require_hope(study: Study, failures: Sequence[str], last: Trial, failure: str) -> None:
    if len(failures) < _ALIKE or len(set(failures)) > 1:
        return
    none = all(outcome.state == "failed" for _, outcome in study.trials())
    if none or len(failures) == _DOUBTFUL:
        told = f"{len(failures)} trials failed alike{', and none has not' if none else ''}: {failure}"
        raise RmldnnError(f"{told}; see `{last.folder / LOG}`; the same command tries them once more")


def described(trial: Trial, outcome: Outcome, monitor: str) -> str:
    """What is told of a trial that has ended, in a line."""
    values = ", ".join(f"{path}={shown(value)}" for path, value in trial.values.items())
    of = f" of {outcome.epochs}" if outcome.epochs else ""
    value = "" if outcome.value is None else f", {monitor} {number(outcome.value)} in epoch {outcome.epoch}{of}"
    why = f": {outcome.failure}" if outcome.failure else ""
    return f"Trial {trial.number} {outcome.state}{value} ({values}){why}"
