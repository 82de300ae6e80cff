"""What metrics are made of: sums that add up over samples, and numbers made from them at the end."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.metrics.reading import reading_for
from rmldnn.types import Total


class Counter(Hashable, Protocol):
    """Sums over samples. Equal counters count the same, so that one of them counts for several metrics."""

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """Additive sums of a batch, float64, on the output's device, of a shape that does not depend on the batch.

        Args:
            output: Network output, shape (n, channels, *spatial), maybe without any sample.
            target: As the loss takes it; may still lie on the host.
        """
        ...


class Measure(Protocol):
    """One metric of a configuration."""

    @property
    def name(self) -> str:
        """What its main number is called."""
        ...

    @property
    def counter(self) -> Counter:
        """Which sums it needs."""
        ...

    def values(self, sums: Tensor) -> Mapping[str, Tensor]:
        """Its numbers by name, the main one first, from sums over the whole set."""
        ...


class Metrics:
    """All metrics of a run; on any number of processes and with any batches their numbers are those of the whole set.

    Args:
        makers: Metric components with their keys bound, yet to be given their reading.
        loss: The run's loss, which says how outputs and targets are to be read.
        classes: Names of the classes, by index.

    Raises:
        ConfigError: Two metrics have the same name, or a package is missing that a metric needs.
    """

    accuracy: str | None = None
    """The task has its own."""

    def __init__(
        self,
        makers: Sequence[Callable[..., Measure]],
        loss: Callable[..., Any] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        self.classes = classes
        reading = reading_for(loss, classes)
        self.measures = [make(reading) for make in makers]
        self.names: Sequence[str] = [measure.name for measure in self.measures]
        for place, name in enumerate(self.names):
            if name in self.names[:place]:
                raise ConfigError(Problem(f"metrics[{place}]", f"there are two metrics called {name}; remove one"))
        self._sums: dict[Counter, Tensor | None] = {measure.counter: None for measure in self.measures}

    def update(self, output: Tensor, target: Tensor, first: int = 0) -> None:  # noqa: ARG002 - sums have no order
        """Counts this process's share of a batch, which may hold no sample.

        Raises:
            ConfigError: Output and target do not suit a metric.
        """
        try:
            for counter, sums in self._sums.items():
                more = counter.sums(output, target)
                self._sums[counter] = more if sums is None else sums + more
        except ConfigError as error:
            raise ConfigError([replace(fault, path="metrics") for fault in error.problems]) from error

    @torch.no_grad()
    def compute(self, total: Total) -> dict[str, Tensor]:
        """The numbers at the end of an evaluation; the next one counts from nothing.

        Args:
            total: Sums a tensor over all processes; called once, with what all metrics need.

        Returns:
            Scalars by name, float64, in the order of the configuration: `IoU`, then `IoU/<class>` of each class. A
            number that is not defined, such as that of a class which occurs nowhere, is NaN. `ConfusionMatrix` is an
            array. Nothing if there was no batch at all.
        """
        sums = {counter: part for counter, part in self._sums.items() if part is not None}
        self._sums = dict.fromkeys(self._sums)
        if not sums:
            return {}
        added = total(torch.cat([part.flatten() for part in sums.values()]))
        parts = added.split([part.numel() for part in sums.values()])
        whole = {counter: part.view_as(sums[counter]) for counter, part in zip(sums, parts, strict=True)}
        numbers: dict[str, Tensor] = {}
        for measure in self.measures:
            numbers.update(measure.values(whole[measure.counter]))
        return numbers


def by_class(name: str, mean: Tensor, values: Tensor, classes: Sequence[str]) -> dict[str, Tensor]:
    """A mean, and behind it the value of each class where there are several."""
    each = {f"{name.partition('_')[0]}/{label}": value for label, value in zip(classes, values, strict=True)}
    return {name: mean, **(each if len(each) > 1 else {})}
