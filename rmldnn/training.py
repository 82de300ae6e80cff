"""Training: what learns, what watches over it, and how it goes on where an earlier run left off."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rmldnn.applications.application import Application
from rmldnn.applications.fitting import require_trainable
from rmldnn.applications.levels import levelled
from rmldnn.config.instantiate import instantiate
from rmldnn.data.dataset import Data
from rmldnn.data.loader import Loader
from rmldnn.engine.batch_size import automatic_batch_size
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.compute import Compute
from rmldnn.engine.evaluation import Metrics
from rmldnn.engine.guard import Guard
from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import Leave
from rmldnn.engine.loop import Learner, fit
from rmldnn.engine.multigrid import Multigrid
from rmldnn.engine.prepared import prepared
from rmldnn.engine.progress import Progress
from rmldnn.engine.resuming import Resumable, Stateful
from rmldnn.engine.scores import require_scores
from rmldnn.engine.states import State
from rmldnn.engine.stopping import EarlyStopping
from rmldnn.engine.terms import Terms, digests
from rmldnn.networks.network import Network
from rmldnn.output.console import Consumer
from rmldnn.output.history import History
from rmldnn.output.run_folder import STATES
from rmldnn.sessions import Session
from rmldnn.steps import Step
from rmldnn.tasks.task import Task

log = logging.getLogger("rmldnn")


@dataclass(frozen=True)
class Course:
    """What a training does besides learning.

    Args:
        num_epochs: Number of the last epoch.
        seed: Of the run.
        precision: What layers compute with.
        updates: How many updates are certain to come.
        want_predictions: Whether anybody wants the network's outputs for the test set.
        trackers: Nodes of the services that are told of it.
        checkpoints: When to save.
        stopping: Ends it early.
        leave: Whether the run is to leave.
        session: Where it runs, and what it goes on from.
    """

    num_epochs: int
    seed: int
    precision: str
    updates: int
    want_predictions: bool
    trackers: Sequence[Mapping[str, Any]]
    checkpoints: Checkpoints
    stopping: EarlyStopping | None
    leave: Leave
    session: Session


def learner(
    engine: Engine,
    application: Application,
    network: Network,
    config: Mapping[str, Any],
    nodes: Mapping[str, Any],
    compute: Compute,
    epochs: int,
    grid: Multigrid | None = None,
) -> tuple[Learner, Terms]:
    """The network with its optimizer and its schedule, made ready, and what a state must fit.

    Raises:
        NetworkError: Nothing can be trained.
        ConfigError: The optimizer or the schedule cannot be made so.
    """
    require_trainable(network)
    optimizer = application.optimizer(network, config, nodes)
    schedule = application.schedule(optimizer, nodes, epochs)
    terms = Terms.of(network, optimizer, "network" if nodes["network"] else "layers")
    terms = replace(terms, layers=digests(network.description))
    ready = engine.prepare(levelled(network, grid), optimizer, compute)
    return Learner(ready, optimizer, schedule, compute.accumulate), terms


def batch_size(engine: Engine, task: Task, network: Network, compute: Compute, data: Data, state: State | None) -> int:
    """The batch size that `auto` stands for: the one of the state, else the one that suits the machine."""
    known = state.facts.get("terms", {}).get("data.batch_size") if state is not None else None
    if known is not None:
        log.info(f"Batch size (automatic): {known}, as before")
        return int(known)
    assert data.train is not None  # noqa: S101 - a training has a training set
    sample = data.loader("train", device=engine.device).sample()
    arrays = data.train.inputs.source.meaning == "values"
    network.check_input(sample.inputs.shape, arrays=arrays, sizes=data.train.sizes)
    return automatic_batch_size(engine, task, prepared(network, compute, engine.device), sample, len(data.train))


def training(
    engine: Engine,
    network: Network,
    task: Task,
    learner: Learner,
    terms: Terms,
    course: Course,
    loaders: Mapping[str, Loader],
    metrics: Metrics | None,
    outputs: Sequence[Consumer],
) -> tuple[Iterator[Step], list[Consumer]]:
    """The steps of a training, and who watches over them: to be told before and behind all other consumers.

    Args:
        engine: Where and with whom to compute.
        network: The network.
        task: What one learning step is.
        learner: The network, made ready to learn.
        terms: What a state must fit.
        course: What the training does besides.
        loaders: The training set, `train`, and maybe a test set, `test`.
        metrics: Further numbers of the evaluations.
        outputs: Consumers of this process; those with a state go on with the training.

    Raises:
        ConfigError: There is no room for states, or a number is asked for that the training will not have.
        CheckpointError: The state is that of another training.
    """
    session, stopping = course.session, course.stopping
    require_monitored(course.checkpoints, stopping, task, loaders.get("test"), metrics)
    train = loaders["train"]
    size = train.batch_size
    config = {**session.config, "data": {**session.config["data"], "batch_size": size}}
    terms = replace(terms, values=session.values(size, train.dataset.names, course.precision))
    if engine.rank == 0:
        history = History(session.folder, train=True, test="test" in loaders, updates=course.updates)
        trackers = [instantiate(node)(session.folder.name, str(session.folder), config) for node in course.trackers]
        outputs = [*outputs, history, *trackers, *filter(None, [session.record])]
        (session.folder / STATES).mkdir(exist_ok=True)
    progress = Progress(course.seed, engine.rank)
    eager = engine.device.type == "cpu"
    guard = Guard(engine, session.folder, eager=eager, norms=course.precision != "fp16")
    parts: dict[str, Any] = {"schedule": learner.scheduler, "stopping": stopping, "guard": guard}
    records: dict[str, Stateful] = {type(output).__name__: output for output in outputs if isinstance(output, Stateful)}
    resumable = Resumable(
        session.folder / STATES,
        engine,
        network,
        terms,
        progress,
        {name: part for name, part in parts.items() if part is not None},
        records,
        course.checkpoints,
        guard,
        course.leave,
    )
    if session.state is not None:
        resumable.resume(
            session.state, anew=session.begins_anew, share=lambda seen: _share(train, seen, learner.accumulate)
        )
        progress.over = progress.over and stopping is not None and stopping.ended(progress.epoch - 1)
        if stopping is not None and progress.over and progress.epoch <= course.num_epochs:
            reason = f"`{session.folder}` {stopping.reason(progress.epoch - 1)}"
            log.info(f"Early stopping ended {reason}; more epochs by a larger `early_stopping.patience`")
        elif progress.epoch > course.num_epochs:
            log.info(f"The training of `{session.folder}` is complete; more epochs by a larger `num_epochs`")
        else:
            place = f"epoch {progress.epoch}, behind {progress.seen} of its samples"
            log.info(f"Going on with {place}: {session.state.folder}")
    if session.record is not None:
        session.record.begin(config)
    steps = fit(
        engine,
        task,
        learner,
        loaders["train"],
        loaders.get("test"),
        course.num_epochs,
        want_predictions=course.want_predictions,
        metrics=metrics,
        progress=progress,
        stopping=stopping,
    )
    return steps, [guard, *outputs, resumable]


def require_monitored(
    checkpoints: Checkpoints, stopping: EarlyStopping | None, task: Task, test: Loader | None, metrics: Metrics | None
) -> None:
    """Refuses to watch a number that the training will not have.

    Raises:
        ConfigError: There will be no such number.
    """
    wanted = {"checkpoints.keep.best": checkpoints.keep.get("best")}
    wanted["early_stopping.monitor"] = stopping.monitor if stopping is not None else None
    require_scores(wanted, _scores(task, test, metrics))


def _share(loader: Loader, seen: int, accumulate: int) -> float:
    """The part of an epoch's updates that is over behind so many samples."""
    updates, left = (-(-batches // accumulate) for batches in (len(loader), loader.remaining(seen)))
    return (updates - left) / updates


def _scores(task: Task, test: Loader | None, metrics: Metrics | None) -> list[str]:
    """Names of the numbers that a training will have."""
    if test is None or (task.needs_targets and test.dataset.targets is None):
        return ["train_loss"]
    names = metrics.names if metrics is not None else []
    accuracy = ["test_accuracy"] if task.metric or (metrics is not None and metrics.accuracy) else []
    return ["train_loss", "test_loss", *accuracy, *(f"test_{name}" for name in names)]
