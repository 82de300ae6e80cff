"""One set of samples: inputs, and the targets that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from rmldnn.data.pipeline import Pipeline, Shape
from rmldnn.data.source import Indices
from rmldnn.errors import DataError
from rmldnn.steps import Batch


@dataclass(frozen=True, slots=True)
class Request:
    """The part of a global batch that one process wants.

    Args:
        indices: Samples to read, at least one: a process that gets no sample of a batch still has to know the shape of
            its tensors, so it reads a sample of another process and drops it.
        count: How many of them to keep, all or none.
        first: Position of the first within the epoch's order.
        size: Samples of the global batch.
        seed: Of the random transforms.
        epoch: Counted from 1.
    """

    indices: Indices
    count: int
    first: int
    size: int
    seed: int
    epoch: int


class Gathered(NamedTuple):
    """Samples stacked as they were read, before the arithmetic."""

    inputs: NDArray[Any]
    targets: NDArray[Any] | None

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of an input, and that of a target if there are any."""
        return tuple(samples.shape[1:] for samples in self if samples is not None)


@dataclass(frozen=True)
class Dataset:
    """One set of samples.

    Args:
        inputs: Where inputs come from.
        targets: Where targets come from, None if there are none.
        transforms: Names and values of the transforms that act on this set, as the log shows them.
    """

    inputs: Pipeline
    targets: Pipeline | None = None
    transforms: Sequence[tuple[str, str]] = ()
    mixes: Sequence[tuple[int, Any]] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def names(self) -> Sequence[str]:
        """Names of the samples."""
        return self.inputs.source.names

    @property
    def kind(self) -> str:
        """The type of the inputs, as users write it."""
        return self.inputs.source.kind

    @property
    def noun(self) -> str:
        """What the log counts: `images`."""
        return self.inputs.source.noun

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes in the order of their indices; empty if targets are no labels."""
        return list(getattr(self.targets.source, "classes", ())) if self.targets else []

    def gather(self, request: Request) -> Gathered:
        """Reads what is wanted.

        Raises:
            DataError: A sample cannot be read, or samples do not fit together.
        """
        inputs = self.inputs.gather(request.indices, request.seed, request.epoch)[: request.count]
        if self.targets is None:
            return Gathered(inputs, None)
        return Gathered(inputs, self.targets.gather(request.indices, request.seed, request.epoch)[: request.count])

    def unequal(self, one: tuple[int, Sequence[Shape]], other: tuple[int, Sequence[Shape]]) -> DataError:
        """The error that two samples differ in size; each is an index and `Gathered.shapes`."""
        sides = (side for side in (self.inputs, self.targets) if side)
        (index, shapes), (other_index, other_shapes) = one, other
        return next(
            side.unequal((index, shape), (other_index, other_shape))
            for side, shape, other_shape in zip(sides, shapes, other_shapes, strict=True)
            if shape != other_shape
        )

    def batch(self, request: Request, gathered: Gathered) -> Batch:
        """Makes of what was gathered what the network sees."""
        names, (inputs, targets) = self.names, gathered
        return Batch(
            [names[index] for index in request.indices[: request.count].tolist()],
            self.inputs.finish(torch.from_numpy(inputs)),
            self.targets.finish(torch.from_numpy(targets)) if self.targets and targets is not None else None,
            request.first,
            request.size,
        )
