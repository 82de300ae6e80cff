"""Evaluation of a network, in shares of each batch or by turns at whole ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from rmldnn.engine.interface import Engine
from rmldnn.engine.loading import Loader, placed
from rmldnn.engine.progress import Mean
from rmldnn.losses.reduction import alone
from rmldnn.losses.target import moved
from rmldnn.steps import Batch, EvalEnd, EvalStep, Step
from rmldnn.tasks.task import Task
from rmldnn.types import Total


class Metrics(Protocol):
    """Further numbers about outputs and targets, as `metrics.measure` gives them."""

    classes: Sequence[str]
    """Names of the classes, by index, as far as they have names."""
    names: Sequence[str]
    """What the main numbers are called."""
    accuracy: str | None
    """The number that is reported as accuracy, where the task has none that adds up over batches."""

    def update(self, output: Tensor, target: Tensor, first: int) -> None:
        """Takes this process's share of a batch; `first` is the place of its first sample in the test set."""
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
    evaluation = Evaluation(engine, task, network, test, want_predictions, metrics)
    yield from evaluation.steps(1, 1, seen=seen, turns=engine.world > 1)


@dataclass(frozen=True)
class Evaluation:
    """How a network is evaluated; see `evaluate` for the meaning of the values."""

    engine: Engine
    task: Task
    network: nn.Module
    test: Loader
    want_predictions: bool = False
    metrics: Metrics | None = None

    def steps(
        self, epoch: int, num_epochs: int, *, seen: int = 0, turns: bool = False
    ) -> Generator[Step, None, Tensor | None]:
        """The steps of an evaluation, and their end.

        Args:
            epoch: The epoch that it belongs to.
            num_epochs: The last one.
            seen: Samples that an earlier run has done.
            turns: Whether processes take turns at whole batches, instead of sharing each.

        Returns:
            The loss of the whole set; None without targets.
        """
        start = perf_counter()
        mean = Mean()
        sums: Tensor | None = None
        loss: Tensor | None = None
        accuracy: Tensor | None = None
        measured: Mapping[str, Tensor] = {}
        num_batches, metric, metrics = len(self.test), self.task.metric, self.metrics
        done = num_batches - self.test.remaining(seen) if seen else 0
        results = self._in_turns(epoch, seen) if turns else self._in_shares(epoch, seen)
        for number, result in enumerate(results, start=done + 1):
            loss = result.loss
            if loss is not None:
                mean.add(loss, result.size)
            if metric is not None and result.sums is not None:
                sums = result.sums if sums is None else sums + result.sums
                accuracy = metric.value(sums)
            yield EvalStep(
                epoch, num_epochs, number, num_batches, result.size, loss, accuracy, result.names, result.predictions
            )
        if loss is not None:
            loss = mean.value()
        if metrics is not None and (loss is not None or not self.task.needs_targets):
            measured = metrics.compute(self.engine.total)
            if metrics.accuracy is not None and measured:
                accuracy = measured[metrics.accuracy]
        classes = metrics.classes if metrics is not None else ()
        yield EvalEnd(epoch, num_epochs, perf_counter() - start, loss, accuracy, measured, classes)
        return loss

    def _in_shares(self, epoch: int, seen: int) -> Iterator[_Result]:
        """Every process computes its share of each batch."""
        for batch in self.test.epoch(epoch, seen):
            batch = placed(batch, self.engine.device)
            output, loss, sums = self._computed(batch, self.engine.total)
            names, predictions = self.engine.gather(batch, output) if self.want_predictions else ((), None)
            yield _Result(batch.size, loss, sums, names, predictions)

    def _in_turns(self, epoch: int, seen: int) -> Iterator[_Result]:
        """Process r computes the batches r, r + P, ... as a whole, and all learn what they gave."""
        engine = self.engine
        batches = self.test.turns().epoch(epoch, seen)
        for _ in range(-(-self.test.remaining(seen) // engine.world)):
            batch = next(batches, None)
            output = loss = sums = None
            facts = torch.zeros(engine.world, 3, dtype=torch.int64)  # on the CPU: no wait for the device
            if batch is not None:
                batch = placed(batch, engine.device)
                output, loss, sums = self._computed(batch, alone)
                width = sums.numel() if sums is not None else 0
                facts[engine.rank] = torch.tensor([batch.size, loss is not None, width])
            facts = engine.total(facts)
            numbers = torch.zeros(engine.world, 1 + int(facts[:, 2].max()), dtype=torch.float64, device=engine.device)
            if loss is not None:
                numbers[engine.rank, 0] = loss
            if sums is not None:
                numbers[engine.rank, 1:] = sums.flatten()
            numbers = engine.total(numbers)
            parts = engine.parts(batch, output) if self.want_predictions else ()
            for rank, (size, has_loss, width) in enumerate(facts.tolist()):
                if size:
                    names, predictions = parts[rank] if parts else ((), None)
                    loss = numbers[rank, 0].float() if has_loss else None
                    yield _Result(size, loss, numbers[rank, 1:] if width else None, names, predictions)

    @torch.inference_mode()
    def _computed(self, batch: Batch, total: Total) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Output, loss and sums of the metric."""
        loss, output = self.task.forward(self.network, batch, total)
        sums = None
        if batch.targets is not None and loss is not None:
            targets = moved(batch.targets, output.device)  # once for all; the loss has judged them where they were
            if self.task.metric is not None:
                sums = total(self.task.metric.sums(output, targets))
            if self.metrics is not None:
                self.metrics.update(output, targets, batch.first)
        return output, loss, sums


class _Result(NamedTuple):
    """What one batch of an evaluation gave: its samples, loss and sums of the metric, and on rank 0 outputs by name."""

    size: int
    loss: Tensor | None
    sums: Tensor | None
    names: Sequence[str]
    predictions: Tensor | None
