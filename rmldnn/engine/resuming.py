"""Saves the whole state of a training now and then, and lets another run go on from it."""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from rmldnn.engine import states
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.guard import Guard
from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import SIGNALS, Leave
from rmldnn.engine.progress import Progress
from rmldnn.engine.states import State
from rmldnn.errors import CheckpointError, ConfigError, Problem, StoppedError
from rmldnn.steps import EpochEnd, EvalStep, Step, TrainStep

log = logging.getLogger("rmldnn")

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
        self._progress = progress
        self._parts = dict(parts)
        self._records = dict(records)
        self._checkpoints = checkpoints
        self._guard = guard
        self._leave = leave
        self._saved = time.monotonic()
        if engine.rank == 0:
            _require_room(folder, network)

    def resume(self, state: State) -> None:
        """Goes on from a state.

        Raises:
            CheckpointError: It is that of another network or another optimizer.
        """
        try:
            self._network.load_state_dict(state.load("network"))
            self._engine.load_state_dict(state.load("engine"))
            kept = state.load("run")
            for name, part in {**self._parts, "progress": self._progress}.items():
                if name in kept["parts"]:
                    part.load_state_dict(kept["parts"][name])
            for name, record in self._records.items() if self._engine.rank == 0 else ():
                if name in kept["records"]:
                    record.load_state_dict(kept["records"][name])
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                Problem(
                    "checkpoints.resume",
                    f"`{state.folder}` is the state of another training: {reason}; start anew, or take only its "
                    "weights by `checkpoints.load`",
                )
            ) from error

    def consume(self, step: Step) -> None:
        """Saves the state if it is time for it, and leaves if the run is told to.

        Raises:
            StoppedError: The run was told to leave; the state is saved.
            RmldnnError: The state cannot be saved.
        """
        if not isinstance(step, (TrainStep, EvalStep, EpochEnd)):
            return
        old = time.monotonic() - self._saved > self._checkpoints.state_interval
        leave, old = self._agreed(self._leave.signal, old)
        ends = isinstance(step, EpochEnd) and (step.last or self._checkpoints.due(step))
        if leave or ends or (old and not isinstance(step, EvalStep)):
            place = self._save()
            if leave:
                name = signal.Signals(leave).name
                raise StoppedError(leave, f"stopped by {name}; the state is in `{place}`; go on with --resume")

    def close(self) -> None:
        """Has nothing to complete: each state is whole or absent."""

    def _agreed(self, leave: int, old: bool) -> tuple[int, bool]:
        """What all processes do if one of them is to leave, or finds the state old."""
        if self._engine.world == 1:
            return leave, old
        votes = self._engine.total(torch.tensor([*(leave == number for number in SIGNALS), old], dtype=torch.int64))
        *told, late = votes.tolist()
        return next((number for number, count in zip(SIGNALS, told, strict=True) if count), 0), late > 0

    def _save(self) -> Path:
        self._guard.check()
        self._engine.evaluating(False)
        progress = self._progress
        place = self._folder / f"epoch_{progress.epoch}_sample_{progress.seen}"
        if self._engine.rank == 0:
            run = {
                "parts": {name: part.state_dict() for name, part in {**self._parts, "progress": progress}.items()},
                "records": {name: record.state_dict() for name, record in self._records.items()},
            }
            parts = {"network": self._network.state_dict(), "engine": self._engine.state_dict(), "run": run}
            facts = {"processes": self._engine.world}
            states.clean(self._folder, states.save(self._folder, progress.epoch, progress.seen, parts, facts), _KEPT)
            self.outputs = [("Run folder", str(self._folder.parent))]
        self._saved = time.monotonic()
        return place


def find(checkpoints: Checkpoints, folder: Path) -> State | None:
    """The state that a run is to go on from; None if it starts anew, as it does if it was killed before the first one.

    Args:
        checkpoints: Whether and where from.
        folder: The states of the run folder.

    Raises:
        CheckpointError: The state that the user names is none.
    """
    if checkpoints.resume is None:
        return None
    if checkpoints.resume.lower() != "auto":
        return states.load(Path(checkpoints.resume))
    state = states.newest(folder)
    if state is None:
        log.info(f"There is no state to go on from in `{folder}`; the training starts anew")
    return state


def _require_room(folder: Path, network: nn.Module) -> None:
    """Refuses a disk without room for states: weights, and two numbers for each that an optimizer keeps, twice."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    needed = 3 * weights * (_KEPT + 1)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            Problem(
                "run_folder",
                f"`{folder}` has room for {free / 2**20:.0f} MiB, but states of this training need about "
                f"{needed / 2**20:.0f} MiB; make room, or choose another place",
            )
        )
