"""Training: what learns, what watches over it, and how it goes on where an earlier run left off."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from rmldnn.config.instantiate import instantiate
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.compute import Compute
from rmldnn.engine.guard import Guard
from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import Leave
from rmldnn.engine.loop import Learner, Schedule
from rmldnn.engine.progress import Progress
from rmldnn.engine.resuming import Resumable, Stateful, find
from rmldnn.engine.scores import require_score
from rmldnn.engine.stopping import EarlyStopping
from rmldnn.errors import ConfigError, NetworkError, Problem
from rmldnn.losses.combined import Combined
from rmldnn.networks.network import Network
from rmldnn.optimizers.groups import parameter_groups
from rmldnn.output.console import Consumer
from rmldnn.schedulers.chain import Chain
from rmldnn.steps import Step
from rmldnn.types import Source

log = logging.getLogger("rmldnn")


@dataclass(frozen=True)
class Course:
    """What a training does besides learning.

    Args:
        num_epochs: Number of the last epoch.
        seed: Of the run.
        checkpoints: When to save, and what to go on from.
        stopping: Ends it early.
        folder: The run folder.
        leave: Whether the run is to leave.
        precision: What layers compute with.
    """

    num_epochs: int
    seed: int
    checkpoints: Checkpoints
    stopping: EarlyStopping | None
    folder: Path
    leave: Leave
    precision: str


def loss(nodes: Sequence[tuple[float, Mapping[str, Any]]], network: Network) -> Callable[..., Tensor] | None:
    """The loss of a configuration, or the sum of its losses; None if there is none.

    Where the user does not say which activation a loss's input went through, it is the last one of the network.
    """
    last = network.last_activation or "linear"
    last = last if last in get_args(Source) else "linear"
    filled = [
        (factor, {**node, "source": last} if node.get("source", last) is None else node) for factor, node in nodes
    ]
    terms = [(factor, instantiate(node)) for factor, node in filled]
    if len(terms) == 1 and terms[0][0] == 1.0:
        only: Callable[..., Tensor] = terms[0][1]
        return only
    return Combined(terms) if terms else None


def learner(
    engine: Engine, network: Network, config: Mapping[str, Any], nodes: Mapping[str, Any], compute: Compute, epochs: int
) -> Learner:
    """The network with its optimizer and its schedule, made ready.

    Raises:
        NetworkError: Nothing can be trained.
        ConfigError: The optimizer or the schedule cannot be made so.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise NetworkError(Problem("layers", "nothing can be trained: no layer has parameters with `trainable`: true"))
    optimizer = instantiate(nodes["optimizer"])(
        parameter_groups(network, config["optimizer"].get("parameters") or [], config["optimizer"])
    )
    if getattr(optimizer, "needs_closure", False):
        for key, used in (("gradient_clip", compute.gradient_clip), ("precision", compute.precision == "fp16")):
            if used:
                raise ConfigError(
                    Problem(key, "has no meaning for an optimizer that looks for its steps by itself; remove it")
                )
    makers = [instantiate(node) for node in nodes["schedules"]]
    schedule: Schedule | None = None
    if makers:
        schedule = makers[0](optimizer, epochs) if len(makers) == 1 else Chain(optimizer, epochs, makers)
    return Learner(engine.prepare(network, optimizer, compute), optimizer, schedule, compute.accumulate)


def training(
    engine: Engine,
    network: Network,
    learner: Learner,
    course: Course,
    outputs: Sequence[Consumer],
    steps: partial[Iterator[Step]],
    scores: Sequence[str],
) -> tuple[Iterator[Step], list[Consumer]]:
    """The steps of a training, and who watches over them: to be told before and behind all other consumers.

    Args:
        engine: Where and with whom to compute.
        network: The network.
        learner: The network, made ready to learn.
        course: What the training does besides.
        outputs: Consumers of this process; those with a state go on with the training.
        steps: The loop, yet to be told where to begin and when to end.
        scores: Names of the numbers that the training will have.

    Raises:
        ConfigError: There is no room for states, or a number is asked for that the training will not have.
        CheckpointError: The state is that of another training.
    """
    if course.stopping is not None:
        require_score(course.stopping.monitor, "early_stopping.monitor", scores)
    if "best" in course.checkpoints.keep:
        require_score(course.checkpoints.keep["best"], "checkpoints.keep.best", scores)
    progress = Progress(course.seed, engine.rank)
    guard = Guard(eager=engine.device.type == "cpu", norms=course.precision != "fp16")
    states = course.folder / "state"
    if engine.rank == 0:
        states.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {"schedule": learner.scheduler, "stopping": course.stopping, "guard": guard}
    records: dict[str, Stateful] = {type(output).__name__: output for output in outputs if isinstance(output, Stateful)}
    resumable = Resumable(
        states,
        engine,
        network,
        progress,
        {name: part for name, part in parts.items() if part is not None},
        records,
        course.checkpoints,
        guard,
        course.leave,
    )
    state = find(course.checkpoints, states)
    if state is not None:
        resumable.resume(state)
        if progress.over or progress.epoch > course.num_epochs:
            log.info(f"The training of `{course.folder}` is complete; more epochs by a larger `num_epochs`")
        else:
            log.info(f"Going on with epoch {progress.epoch}, behind {progress.seen} of its samples: {state.folder}")
    watched = steps(num_epochs=course.num_epochs, progress=progress, stopping=course.stopping)
    return watched, [guard, *outputs, resumable]
