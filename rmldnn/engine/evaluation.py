"""Evaluation of a network, in shares of each batch or by turns at whole ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import torch
from torch import Tensor, nn

from rmldnn.engine.interface import Engine
from rmldnn.engine.loading import Loader, placed
from rmldnn.engine.progress import Mean
from rmldnn.losses.reduction import alone
from rmldnn.losses.target import moved
from rmldnn.steps import Batch, EvalEnd, EvalStep, Step
from rmldnn.tasks.supervised import Task
from rmldnn.types import Total


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
    results = (in_turns if engine.world > 1 else in_shares)(
        engine, task, network, test, want_predictions, metrics, 1, seen
    )
    yield from evaluation(engine, task, test, 1, 1, results, metrics, seen)


@dataclass(frozen=True)
class Result:
    """What one batch of an evaluation gave: its samples, loss and sums of the metric, and on rank 0 outputs by name."""

    size: int
    loss: Tensor | None
    sums: Tensor | None
    names: Sequence[str]
    predictions: Tensor | None


def evaluation(
    engine: Engine,
    task: Task,
    loader: Loader,
    epoch: int,
    num_epochs: int,
    results: Iterator[Result],
    metrics: Metrics | None,
    seen: int = 0,
) -> Generator[Step, None, Tensor | None]:
    """The steps of an evaluation, and their end.

    Args:
        engine: Where and with whom to compute.
        task: What to compare outputs with targets by.
        loader: What is evaluated.
        epoch: The epoch that it belongs to.
        num_epochs: The last one.
        results: What the batches give, in order: `in_shares` or `in_turns`.
        metrics: Further numbers.
        seen: Samples that an earlier run has done.

    Returns:
        The loss of the whole set; None without targets.
    """
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


def in_shares(
    engine: Engine,
    task: Task,
    network: nn.Module,
    loader: Loader,
    want_predictions: bool,
    metrics: Metrics | None,
    epoch: int,
    seen: int = 0,
) -> Iterator[Result]:
    """Every process computes its share of each batch."""
    for batch in loader.epoch(epoch, seen):
        batch = placed(batch, engine.device)
        output, loss, sums = _result(task, network, batch, metrics, engine.total)
        names, predictions = engine.gather(batch, output) if want_predictions else ((), None)
        yield Result(batch.size, loss, sums, names, predictions)


def in_turns(
    engine: Engine,
    task: Task,
    network: nn.Module,
    loader: Loader,
    want_predictions: bool,
    metrics: Metrics | None,
    epoch: int,
    seen: int = 0,
) -> Iterator[Result]:
    """Process r computes the batches r, r + P, ... as a whole, and all learn what they gave."""
    batches = loader.turns().epoch(epoch, seen)
    for _ in range(-(-loader.remaining(seen) // engine.world)):
        batch = next(batches, None)
        output = loss = sums = None
        if batch is not None:
            batch = placed(batch, engine.device)
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
                yield Result(
                    size,
                    numbers[rank, 0].float() if has_loss else None,
                    numbers[rank, 1:] if width else None,
                    names,
                    predictions,
                )
