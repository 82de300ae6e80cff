"""The loop over epochs and batches, as generators of steps; whoever consumes them logs, saves, stops.

The loop never waits for the device: losses and norms stay tensors, and a consumer that wants a number pays for it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from rmldnn.engine.interface import Engine
from rmldnn.engine.progress import Mean, Progress
from rmldnn.engine.scores import Scores
from rmldnn.engine.stopping import EarlyStopping
from rmldnn.losses.reduction import alone
from rmldnn.losses.target import moved
from rmldnn.steps import Batch, EpochEnd, EvalEnd, EvalStep, Step, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Task
from rmldnn.types import Total

_End = TypeVar("_End")
log = logging.getLogger("rmldnn")


class Loader(Protocol):
    """Batches of one data set, as `data.loader` gives them."""

    def __len__(self) -> int:
        """Number of global batches of an epoch, the same on every process."""
        ...

    def remaining(self, seen: int) -> int:
        """Number of global batches of an epoch of which so many samples were seen already."""
        ...

    def epoch(self, number: int, seen: int = 0) -> Iterator[Batch]:
        """This process's shares of the batches of an epoch behind the samples seen, in order; epochs count from 1."""
        ...

    def turns(self) -> Loader:
        """The same, but for the processes taking turns at whole batches instead of sharing each."""
        ...


class Schedule(Protocol):
    """A learning-rate schedule."""

    per_step: bool
    """Whether it moves with every update."""

    def step(self, done: float | None = None, loss: Tensor | None = None) -> None:
        """Sets the learning rate where so many epochs are over; `loss` is that of the epoch, at its end."""
        ...


class Metrics(Protocol):
    """Further numbers about outputs and targets, as `metrics.measure` gives them."""

    classes: Sequence[str]
    """Names of the classes, by index, as far as they have names."""

    def update(self, output: Tensor, target: Tensor) -> None:
        """Takes this process's share of a batch."""
        ...

    def compute(self, total: Total) -> Mapping[str, Tensor]:
        """The numbers for all that came since the last call, on all processes."""
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
            results = _in_shares(engine, task, learner.network, test, want_predictions, metrics, epoch)
            steps = _evaluate(engine, task, test, epoch, num_epochs, results, metrics)
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


def evaluate(
    engine: Engine,
    task: Task,
    network: nn.Module,
    test: Loader,
    *,
    want_predictions: bool = False,
    metrics: Metrics | None = None,
    seen: int = 0,
) -> Iterator[Step]:
    """Evaluates a network once, as epoch 1 of 1; steps have no loss and no accuracy where there are no targets.

    Several processes take turns at whole batches: what a batch gives depends on its size, if only in the last bit, so
    they give what one does.

    Args:
        engine: Where and with whom to compute.
        task: What to compare outputs with targets by.
        network: What the engine prepared.
        test: Test data.
        want_predictions: Let the steps carry the network's outputs on rank 0.
        metrics: Further numbers.
        seen: Samples that an earlier run, which was killed, has done; loss and accuracy are those of the others.

    Yields:
        The evaluation steps and their end.
    """
    engine.evaluating(True)
    results = (_in_turns if engine.world > 1 else _in_shares)(
        engine, task, network, test, want_predictions, metrics, 1, seen
    )
    yield from _evaluate(engine, task, test, 1, 1, results, metrics, seen)


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

    def objective(batch: Batch) -> Tensor:
        loss, _ = task.forward(learner.network, batch, engine.total)
        if loss is None:
            raise RuntimeError("training needs a loss, but the task gave none: it has no loss, or the batch no targets")
        return loss

    for number in range(done + 1, num_batches + 1):
        taken = _Taken(islice(batches, accumulate), engine.device)
        progress.draw(engine.device)
        loss, norm = engine.learn(objective, taken)
        progress.learned(loss, taken.size)
        if scheduler is not None and scheduler.per_step:
            scheduler.step(epoch - 1 + number / num_batches)
        compute = perf_counter() - asked - taken.waited
        yield TrainStep(
            epoch, num_epochs, number, num_batches, taken.size, loss, norm, taken.waited, compute, taken.names
        )
        asked = perf_counter()
    mean = progress.mean.value()
    yield TrainEnd(epoch, num_epochs, mean, perf_counter() - start, progress.rate)
    return mean


@dataclass(frozen=True)
class _Result:
    """What one batch of an evaluation gave: its samples, loss and sums of the metric, and on rank 0 outputs by name."""

    size: int
    loss: Tensor | None
    sums: Tensor | None
    names: Sequence[str]
    predictions: Tensor | None


def _evaluate(
    engine: Engine,
    task: Task,
    loader: Loader,
    epoch: int,
    num_epochs: int,
    results: Iterator[_Result],
    metrics: Metrics | None,
    seen: int = 0,
) -> Generator[Step, None, Tensor | None]:
    start = perf_counter()
    mean = Mean()
    sums: Tensor | None = None
    loss: Tensor | None = None
    accuracy: Tensor | None = None
    measured: Mapping[str, Tensor] = {}
    num_batches = len(loader)
    done = num_batches - loader.remaining(seen) if seen else 0
    for number, result in enumerate(results, start=done + 1):
        loss = result.loss
        if loss is not None:
            mean.add(loss, result.size)
        if task.metric is not None and result.sums is not None:
            sums = result.sums if sums is None else sums + result.sums
            accuracy = task.metric.value(sums)
        yield EvalStep(
            epoch, num_epochs, number, num_batches, result.size, loss, accuracy, result.names, result.predictions
        )
    if loss is not None:
        loss = mean.value()
        measured = metrics.compute(engine.total) if metrics is not None else {}
    classes = metrics.classes if metrics is not None else ()
    yield EvalEnd(epoch, num_epochs, perf_counter() - start, loss, accuracy, measured, classes)
    return loss


@torch.inference_mode()
def _result(
    task: Task, network: nn.Module, batch: Batch, metrics: Metrics | None, total: Total
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Output, loss and sums of the metric."""
    loss, output = task.forward(network, batch, total)
    sums = None
    if batch.targets is not None and loss is not None:
        targets = moved(batch.targets, output.device)  # once for all; the loss has judged them where they were
        if task.metric is not None:
            sums = total(task.metric.sums(output, targets))
        if metrics is not None:
            metrics.update(output, targets)
    return output, loss, sums


def _in_shares(
    engine: Engine,
    task: Task,
    network: nn.Module,
    loader: Loader,
    want_predictions: bool,
    metrics: Metrics | None,
    epoch: int,
    seen: int = 0,
) -> Iterator[_Result]:
    """Every process computes its share of each batch."""
    for batch in loader.epoch(epoch, seen):
        batch = _placed(batch, engine.device)
        output, loss, sums = _result(task, network, batch, metrics, engine.total)
        names, predictions = engine.gather(batch, output) if want_predictions else ((), None)
        yield _Result(batch.size, loss, sums, names, predictions)


def _in_turns(
    engine: Engine,
    task: Task,
    network: nn.Module,
    loader: Loader,
    want_predictions: bool,
    metrics: Metrics | None,
    epoch: int,
    seen: int = 0,
) -> Iterator[_Result]:
    """Process r computes the batches r, r + P, ... as a whole, and all learn what they gave."""
    batches = loader.turns().epoch(epoch, seen)
    for _ in range(-(-loader.remaining(seen) // engine.world)):
        batch = next(batches, None)
        output = loss = sums = None
        if batch is not None:
            batch = _placed(batch, engine.device)
            output, loss, sums = _result(task, network, batch, metrics, alone)
        facts = torch.zeros(engine.world, 3, dtype=torch.int64)  # on the CPU: no wait for the device
        if batch is not None:
            width = sums.numel() if sums is not None else 0
            facts[engine.rank] = torch.tensor([batch.size, loss is not None, width])
        facts = engine.total(facts)
        numbers = torch.zeros(engine.world, 1 + int(facts[:, 2].max()), dtype=torch.float64, device=engine.device)
        if loss is not None:
            numbers[engine.rank, 0] = loss
        if sums is not None:
            numbers[engine.rank, 1:] = sums.flatten()
        numbers = engine.total(numbers)
        parts = engine.parts(batch, output) if want_predictions else [((), None)] * engine.world
        for rank, (size, has_loss, width) in enumerate(facts.tolist()):
            if size:
                names, predictions = parts[rank] if engine.rank == 0 else ((), None)
                yield _Result(
                    size,
                    numbers[rank, 0].float() if has_loss else None,
                    numbers[rank, 1:] if width else None,
                    names,
                    predictions,
                )


class _Taken:
    """The batches of one update, as they are taken: whose they are, how many samples, and how long they took to come.

    Args:
        batches: The batches.
        device: Where inputs are wanted.
    """

    def __init__(self, batches: Iterator[Batch], device: torch.device) -> None:
        self.names: Sequence[str] = ()
        self.size = 0
        self.waited = 0.0
        self._batches = batches
        self._device = device

    def __iter__(self) -> Iterator[Batch]:
        asked = perf_counter()
        for batch in self._batches:
            batch = _placed(batch, self._device)
            self.names = [*self.names, *batch.names] if self.names else batch.names
            self.size += batch.size
            self.waited += perf_counter() - asked
            yield batch
            asked = perf_counter()


def _placed(batch: Batch, device: torch.device) -> Batch:
    """The batch with its inputs on the device; targets follow once their values were looked at."""
    if batch.inputs.device == device:
        return batch
    return replace(batch, inputs=batch.inputs.to(device, non_blocking=True))
