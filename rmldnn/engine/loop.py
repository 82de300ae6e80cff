"""The loop over epochs and batches, as generators of steps; whoever consumes them logs, saves, stops.

The loop never waits for the device: losses and norms stay tensors, and a consumer that wants a number pays for it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from rmldnn.engine.evaluation import Evaluation, Metrics
from rmldnn.engine.interface import Engine
from rmldnn.engine.loading import Loader, Taken
from rmldnn.engine.progress import Progress
from rmldnn.engine.scores import Scores
from rmldnn.engine.stopping import EarlyStopping
from rmldnn.steps import EpochEnd, Step, TrainEnd, TrainStep
from rmldnn.tasks.task import Place, Task

_End = TypeVar("_End")
log = logging.getLogger("rmldnn")


class Schedule(Protocol):
    """A learning-rate schedule."""

    per_step: bool
    """Whether it moves with every update."""

    def step(self, done: float | None = None, loss: Tensor | None = None) -> None:
        """Sets the learning rate where so many epochs are over; `loss` is that of the epoch, at its end."""
        ...


@dataclass(frozen=True)
class Learner:
    """What learns.

    Args:
        network: What the engine prepared.
        optimizer: The one that it was prepared with.
        scheduler: Of the learning rate.
        accumulate: Batches to an update.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: Schedule | None = None
    accumulate: int = 1


def fit(
    engine: Engine,
    task: Task,
    learner: Learner,
    train: Loader,
    test: Loader | None,
    num_epochs: int,
    *,
    want_predictions: bool = False,
    metrics: Metrics | None = None,
    progress: Progress | None = None,
    stopping: EarlyStopping | None = None,
) -> Iterator[Step]:
    """Trains a network and evaluates it after every epoch.

    Args:
        engine: Where and with whom to compute.
        task: What one learning step is.
        learner: The network, its optimizer, and the schedule of that.
        train: Training data.
        test: Test data; no evaluation without.
        num_epochs: Number of the last epoch; the first is number 1.
        want_predictions: Let the evaluation steps carry the network's outputs on rank 0.
        metrics: Further numbers of the evaluation.
        progress: Where to begin, and at each step where the training stands; at its beginning if absent.
        stopping: Ends the training early.

    Yields:
        For each epoch the training steps and their end, the evaluation steps and their end, the epoch's end. At
        training steps and at epoch's ends, weights, optimizer, schedule and progress belong together.
    """
    progress = progress or Progress(rank=engine.rank)
    scores = Scores()
    while progress.epoch <= num_epochs and not progress.over:
        epoch = progress.epoch
        engine.evaluating(False)
        loss = yield from _followed(scores, _train(engine, task, learner, train, num_epochs, progress))
        engine.evaluating(True)
        if test is not None:
            evaluation = Evaluation(engine, task, learner.network, test, want_predictions, metrics)
            steps = evaluation.steps(epoch, num_epochs)
            tested = yield from _followed(scores, steps)
            loss = loss if tested is None else tested
        if learner.scheduler is not None:
            learner.scheduler.step(epoch, loss)
        progress.next_epoch()
        progress.over = stopping is not None and stopping.over(epoch, scores)
        if stopping is not None and progress.over and epoch < num_epochs:
            log.info(f"Stopped early {stopping.reason(epoch)}")
        yield EpochEnd(epoch, num_epochs, progress.over or epoch == num_epochs)


def _followed(scores: Scores, steps: Generator[Step, None, _End]) -> Generator[Step, None, _End]:
    """Steps, as they are seen by the scores too."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        scores.follow(step)
        yield step


def _train(
    engine: Engine, task: Task, learner: Learner, loader: Loader, num_epochs: int, progress: Progress
) -> Generator[Step, None, Tensor]:
    start = asked = perf_counter()
    epoch, scheduler, accumulate = progress.epoch, learner.scheduler, learner.accumulate
    if progress.seen == 0:
        progress.rate = float(learner.optimizer.param_groups[0]["lr"])
    num_batches = -(-len(loader) // accumulate)
    done = num_batches - -(-loader.remaining(progress.seen) // accumulate) if progress.seen else 0
    batches = loader.epoch(epoch, progress.seen)
    for number in range(done + 1, num_batches + 1):
        place = Place(progress.seed, epoch, (epoch - 1) * num_batches + number)
        first, *others = task.turns(learner.network, engine.total, place)
        taken = Taken(islice(batches, accumulate), engine.device, keep=bool(others))
        progress.draw(engine.device)
        with first.learning():
            loss, norm = engine.learn(progress.drawn(first, engine.device), taken)
        losses = {}
        for turn in others:
            with turn.learning():
                losses[turn.name], _ = engine.learn(progress.drawn(turn, engine.device), taken.kept)
        progress.learned(loss, taken.size, losses)
        if scheduler is not None and scheduler.per_step:
            scheduler.step(epoch - 1 + number / num_batches)
        compute = perf_counter() - asked - taken.waited
        yield TrainStep(
            epoch, num_epochs, number, num_batches, taken.size, loss, norm, taken.waited, compute, taken.names, losses
        )
        asked = perf_counter()
    mean = progress.mean.value()
    losses = {name: one.value() for name, one in progress.others.items()}
    yield TrainEnd(epoch, num_epochs, mean, perf_counter() - start, progress.rate, losses)
    return mean
