"""The loop over epochs and batches, as generators of steps; whoever consumes them logs, saves, stops.

The loop never waits for the device: losses and norms stay tensors, and a consumer that wants a number pays for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Protocol

import torch
from torch import Tensor, nn

from rmldnn.engine.interface import Engine
from rmldnn.steps import Batch, EpochEnd, EvalEnd, EvalStep, Step, TrainEnd, TrainStep
from rmldnn.tasks.supervised import Task


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


class Schedule(Protocol):
    """A learning-rate schedule."""

    def step(self) -> None:
        """Called at the end of each epoch."""
        ...


def fit(
    engine: Engine,
    task: Task,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Schedule | None,
    train: Loader,
    test: Loader | None,
    num_epochs: int,
    want_predictions: bool = False,
) -> Iterator[Step]:
    """Trains a network and evaluates it after every epoch.

    Args:
        engine: Where and with whom to compute.
        task: What one learning step is.
        network: The network, placed on the engine's device.
        optimizer: Made for the network's parameters.
        scheduler: Stepped at the end of each epoch.
        train: Training data.
        test: Test data; no evaluation without.
        num_epochs: Number of epochs; the first is number 1.
        want_predictions: Let the evaluation steps carry the network's outputs on rank 0.

    Yields:
        For each epoch the training steps and their end, the evaluation steps and their end, the epoch's end.
    """
    ready = engine.prepare(network, optimizer)
    for epoch in range(1, num_epochs + 1):
        yield from _train(engine, task, ready, optimizer, train, epoch, num_epochs)
        if test is not None:
            yield from _evaluate(engine, task, ready, test, epoch, num_epochs, want_predictions)
        if scheduler is not None:
            scheduler.step()
        yield EpochEnd(epoch, num_epochs)


def evaluate(
    engine: Engine, task: Task, network: nn.Module, test: Loader, want_predictions: bool = False, seen: int = 0
) -> Iterator[Step]:
    """Evaluates a network once, as epoch 1 of 1; steps have no loss and no accuracy where there are no targets.

    Args:
        engine: Where and with whom to compute.
        task: What to compare outputs with targets by.
        network: The network.
        test: Test data.
        want_predictions: Let the steps carry the network's outputs on rank 0.
        seen: Samples that an earlier run, which was killed, has done; loss and accuracy are those of the others.

    Yields:
        The evaluation steps and their end.
    """
    yield from _evaluate(engine, task, engine.prepare(network), test, 1, 1, want_predictions, seen)


def _train(
    engine: Engine,
    task: Task,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Loader,
    epoch: int,
    num_epochs: int,
) -> Iterator[Step]:
    network.train()
    start = asked = perf_counter()
    rate = float(optimizer.param_groups[0]["lr"])
    mean = _Mean(engine.device)
    num_batches = len(loader)
    for number, batch in enumerate(loader.epoch(epoch), start=1):
        batch = _placed(batch, engine.device)
        came = perf_counter()
        loss, _ = task.forward(network, batch, engine.total)
        if loss is None:
            raise RuntimeError("training needs a loss, but the task gave none: it has no loss, or the batch no targets")
        norm = engine.learn(loss)
        loss = loss.detach()
        mean.add(loss, batch.size)
        done = perf_counter()
        yield TrainStep(epoch, num_epochs, number, num_batches, batch.size, loss, norm, came - asked, done - came)
        asked = perf_counter()
    yield TrainEnd(epoch, num_epochs, mean.value(), perf_counter() - start, rate)


def _evaluate(
    engine: Engine,
    task: Task,
    network: nn.Module,
    loader: Loader,
    epoch: int,
    num_epochs: int,
    want_predictions: bool,
    seen: int = 0,
) -> Iterator[Step]:
    network.eval()
    start = perf_counter()
    mean = _Mean(engine.device)
    metric = task.metric
    sums: Tensor | None = None
    loss: Tensor | None = None
    accuracy: Tensor | None = None
    num_batches = len(loader)
    done = num_batches - loader.remaining(seen) if seen else 0
    for number, batch in enumerate(loader.epoch(epoch, seen), start=done + 1):
        with torch.inference_mode():  # left before each yield: it would hold for the consumer's code too
            batch = _placed(batch, engine.device)
            loss, output = task.forward(network, batch, engine.total)
            if loss is not None:
                mean.add(loss, batch.size)
                if metric is not None and batch.targets is not None:
                    more = engine.total(metric.sums(output, batch.targets))
                    sums = more if sums is None else sums + more
                    accuracy = metric.value(sums)
            names, predictions = engine.gather(batch, output) if want_predictions else ((), None)
        yield EvalStep(epoch, num_epochs, number, num_batches, batch.size, loss, accuracy, names, predictions)
    loss = None if loss is None else mean.value()
    yield EvalEnd(epoch, num_epochs, perf_counter() - start, loss, accuracy)


def _placed(batch: Batch, device: torch.device) -> Batch:
    """The batch with its inputs on the device; targets follow once their values were looked at."""
    if batch.inputs.device == device:
        return batch
    return replace(batch, inputs=batch.inputs.to(device, non_blocking=True))


class _Mean:
    """Mean over samples of numbers that each belong to a batch; stays on the device."""

    def __init__(self, device: torch.device) -> None:
        self._sum = torch.zeros((), dtype=torch.float64, device=device)
        self._size = 0

    def add(self, value: Tensor, size: int) -> None:
        self._sum.add_(value, alpha=size)
        self._size += size

    def value(self) -> Tensor:
        return self._sum / max(self._size, 1)
