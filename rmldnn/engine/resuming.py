"""Saves the whole state of a training now and then, and lets another run go on from it."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import nn

from rmldnn.engine import states
from rmldnn.engine.agreement import Agreement
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.guard import Guard
from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import Leave
from rmldnn.engine.progress import Progress
from rmldnn.engine.states import State
from rmldnn.engine.terms import Terms
from rmldnn.errors import CheckpointError, Problem, StoppedError
from rmldnn.output.places import require_room
from rmldnn.steps import EpochEnd, EvalStep, Step, TrainStep

log = logging.getLogger("rmldnn")

AUTO = "auto"
"""What `checkpoints.resume` says for the newest state."""
_KEPT = 2
"""States that stay: the last one, and the one before, should the disk lose the last."""


@runtime_checkable
class Stateful(Protocol):
    """Whatever goes on with a training."""

    def state_dict(self) -> Mapping[str, Any]:
        """What a checkpoint keeps: tensors, numbers, texts, lists and dictionaries."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """Goes on from what was kept."""
        ...


class Resumable:
    """Consumes the steps of a training, as the last consumer, and saves its state.

    Args:
        folder: Where states are.
        engine: What computes.
        network: The network; its weights as they learn are saved.
        terms: What the training learns by.
        progress: How far the training is.
        parts: What else goes on in every process, by name: the schedule, the guard.
        records: What goes on in the first process: files, the best checkpoint.
        checkpoints: When to save.
        guard: Looks at losses before they are saved.
        leave: Whether the run is to leave.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        network: nn.Module,
        terms: Terms,
        progress: Progress,
        parts: Mapping[str, Stateful],
        records: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        guard: Guard,
        leave: Leave,
    ) -> None:
        self.outputs: list[tuple[str, str]] = []
        """Where the state is, and what else is kept of the run."""
        self._folder = folder
        self._engine = engine
        self._network = network
        self._terms = terms
        self._progress = progress
        self._parts = dict(parts)
        self._records = dict(records)
        self._checkpoints = checkpoints
        self._guard = guard
        self._agreement = Agreement(engine, leave)
        self._saved = time.monotonic()
        self._begun = False
        self._from: State | None = None
        if engine.rank == 0:
            _require_room(folder, terms)

    def resume(
        self,
        state: State,
        *,
        anew: Callable[[], Collection[str]] = tuple,
        share: Callable[[int], float] = lambda _: 0.0,
    ) -> None:
        """Goes on from a state.

        Args:
            state: The state.
            anew: Asked, once the state is known to fit, for names of records whose files begin with the state.
            share: From samples of an epoch that were learned from to the part of its updates.

        Raises:
            CheckpointError: It is that of another network, another optimizer, or a training by other terms.
            ConfigError: A file of the run is not what it was.
        """
        weights, engine, kept = (state.load(part) for part in ("network", "engine", "run"))
        self._terms.require(state, weights)
        epoch, seen = kept["parts"]["progress"]["epoch"], kept["parts"]["progress"]["seen"]
        schedule = kept["parts"].setdefault("schedule", {"done": float(epoch - 1)})
        if getattr(self._parts.get("schedule"), "per_step", False):  # which that of the state was perhaps not
            schedule["done"] = epoch - 1 + share(seen)
        try:
            self._terms.settle(engine, weights)
            self._engine.load_weights(self._network, weights)
            self._engine.load_state_dict(engine)
            for name, part in {**self._parts, "progress": self._progress}.items():
                if name in kept["parts"]:
                    part.load_state_dict(kept["parts"][name])
            begins = anew()
            for name, record in self._records.items():
                if name in kept["records"]:
                    known = kept["records"][name]
                    record.load_state_dict({"seconds": known["seconds"]} if name in begins else known)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            message = f"`{state.folder}` is the state of another training: {reason}; start anew, or take only its "
            raise CheckpointError(Problem("checkpoints.resume", message + "weights by `checkpoints.load`")) from error
        self._from = state
        then, now = ({"zero": 0, **facts} for facts in (state.facts, _sharing(self._engine)))
        if (then.get("processes"), then["zero"]) != (now["processes"], now["zero"]):
            log.info(f"The state was saved by {_told(then)}; this is {_told(now)}")

    def consume(self, step: Step) -> None:
        """Saves the state if it is time for it, and leaves if the run is told to.

        Raises:
            StoppedError: The run was told to leave; the state is saved.
            RmldnnError: The state cannot be saved.
        """
        if not isinstance(step, (TrainStep, EvalStep, EpochEnd)):
            return
        if not self._begun:
            self._begin()
        old = time.monotonic() - self._saved > self._checkpoints.state_interval
        leave, old = self._agreement.heard(old, now=isinstance(step, EpochEnd))
        ends = isinstance(step, EpochEnd) and (step.last or self._checkpoints.due(step))
        if leave or ends or (old and not isinstance(step, EvalStep)):
            place = self._save()
            if leave:
                name = signal.Signals(leave).name
                raise StoppedError(leave, f"stopped by {name}; the state is in `{place}`; go on with --resume")

    def close(self) -> None:
        """Has nothing to complete: each state is whole or absent."""

    def _begin(self) -> None:
        """Removes what an earlier run saved further on: its log files are overwritten by now."""
        self._begun = True
        state, place = self._from, (0, 0)
        if state is not None and state.folder.absolute().parent.resolve() == self._folder.resolve():
            place = state.facts["epoch"], state.facts["sample"]
        if self._engine.rank == 0:
            states.clear(self._folder, *place)

    def _save(self) -> Path:
        self._guard.check()
        self._engine.evaluating(False)
        progress = self._progress
        parts = {"network": self._engine.weights(self._network), "engine": self._engine.state_dict()}
        run = {
            "parts": {name: part.state_dict() for name, part in {**self._parts, "progress": progress}.items()},
            "records": {name: record.state_dict() for name, record in self._records.items()},
        }
        place = states.save(
            self._engine,
            self._folder,
            progress.epoch,
            progress.seen,
            parts,
            {**_sharing(self._engine), **self._terms.facts()},
            own={"run": run},
            shard_size=self._checkpoints.shard_size,
        )
        if self._engine.rank == 0:
            states.clean(self._folder, place, _KEPT)
            self.outputs = [("Run folder", str(self._folder.parent))]
        self._saved = time.monotonic()
        return place


def named(engine: Engine, resume: str | None) -> State | None:
    """The state that the user names; None if it is to be the newest of the run folder, or the training begins anew.

    Raises:
        CheckpointError: There is none at that place.
    """
    return None if resume is None or resume.lower() == AUTO else states.load(engine, Path(resume))


def newest(engine: Engine, folder: Path) -> State | None:
    """The newest state of a run; None if it was killed before the first one, and begins anew."""
    state = states.newest(engine, folder)
    if state is None:
        log.info(f"There is no state to go on from in `{folder}`; the training starts anew")
    return state


def _sharing(engine: Engine) -> dict[str, int]:
    """How many processes share a training, and what they keep only parts of."""
    return {"processes": engine.world, "zero": engine.zero.stage}


def _told(facts: Mapping[str, Any]) -> str:
    count = facts.get("processes", 1)
    return f"{count} process{'es' if count > 1 else ''} with `engine.zero` {facts['zero']}"


def _require_room(folder: Path, terms: Terms) -> None:
    """Refuses a disk without room for the states that stay and the one that is written."""
    weights = 4 * sum(math.prod(shape) for shape in terms.shapes.values())
    needed = terms.numbers * weights * (_KEPT + 1)
    require_room(folder, needed, key="run_folder", what="states of this training", own="epoch_*/*")
