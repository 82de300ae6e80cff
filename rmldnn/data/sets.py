"""One set of samples: inputs, and the targets that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from rmldnn.data.files import ending_a_run
from rmldnn.data.order import sample_generator
from rmldnn.data.pipeline import Pipeline, Shape
from rmldnn.data.slices import Sliced
from rmldnn.data.source import Indices
from rmldnn.data.transform import MixTransform
from rmldnn.data.transforms.geometric import in_words
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.steps import Batch


class _ApartError(DataError):
    """An input and its target that do not lie on one another; no sample to be left out, but a set that is wrong."""


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
        mixed: Whether one more sample follows those to keep: the partner that is mixed into the last of them.
    """

    indices: Indices
    count: int
    first: int
    size: int
    seed: int
    epoch: int
    mixed: bool = False

    @property
    def reads(self) -> int:
        """How many samples come out of `Dataset.gather`, if all can be read."""
        return self.count + (self.mixed and self.count > 0)


def none_left(count: int, first: BaseException) -> DataError:
    """The error of samples that are all left out, the first of them for such a reason."""
    what = f"none of the {count:,} samples can" if count > 1 else "the only sample cannot"
    return DataError(f"data.on_bad_sample: {what} be read, so none is left; the first: {first}")


class Gathered(NamedTuple):
    """Samples stacked as they were read, before the arithmetic.

    Args:
        inputs: Inputs.
        targets: Targets, None if there are none.
        kept: Places in the request of the samples that could be read, where some could not.
        skipped: Place and cause of those that could not.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any] | None
    kept: Sequence[int] | None = None
    skipped: Sequence[tuple[int, str]] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of an input, and that of a target if there are any."""
        return tuple(samples.shape[1:] for samples in (self.inputs, self.targets) if samples is not None)


@dataclass(frozen=True)
class Dataset:
    """One set of samples.

    Args:
        inputs: Where inputs come from.
        targets: Where targets come from, None if there are none.
        transforms: Names and values of the transforms that act on this set, as the log shows them.
        mixes: Transforms that blend samples with one another, each with its position.
        slices: The slices that the inputs are, if they are some.
    """

    inputs: Pipeline
    targets: Pipeline | None = None
    transforms: Sequence[tuple[str, str]] = ()
    mixes: Sequence[tuple[int, MixTransform]] = ()
    slices: Sliced | None = None

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
    def sizes(self) -> int:
        """How many `sizes` the slicers of the inputs have; 0 without slicers."""
        return len(self.slices.slicers[0].sizes) if self.slices is not None else 0

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes in the order of their indices; empty if targets are no labels."""
        return list(getattr(self.targets.source, "classes", ())) if self.targets else []

    def gather(self, request: Request, skip_bad: bool = False) -> Gathered:
        """Reads what is wanted.

        Args:
            request: What is wanted.
            skip_bad: Whether samples that cannot be read are left out.

        Raises:
            DataError: A sample cannot be read, or samples do not fit together.
        """
        try:
            return self._gathered(request.indices, request)
        except _ApartError:
            raise
        except DataError as error:
            if not skip_bad:
                raise ending_a_run(error) from error
        kept, skipped = [], []
        for place in range(request.reads):
            try:
                self._gathered(request.indices[place : place + 1], request)
                kept.append(place)
            except _ApartError:
                raise
            except DataError as error:
                skipped.append((place, str(error)))
        if kept:
            inputs, targets, *_ = self._gathered(request.indices[kept], request)
            return Gathered(inputs, targets, kept, skipped)
        inputs, targets, *_ = self._any(request)
        return Gathered(inputs[:0], targets if targets is None else targets[:0], kept, skipped)

    def _gathered(self, indices: Indices, request: Request) -> Gathered:
        extents: dict[int, Shape] = {}
        others: dict[int, Shape] = {}
        inputs = self.inputs.gather(indices, request.seed, request.epoch, extents)[: request.reads]
        if self.targets is None:
            return Gathered(inputs, None)
        targets = self.targets.gather(indices, request.seed, request.epoch, others)[: request.reads]
        if extents != others:
            self._require_one_extent(extents, others)
        return Gathered(inputs, targets)

    def _require_one_extent(self, extents: Mapping[int, Shape], others: Mapping[int, Shape]) -> None:
        """Refuses inputs and targets that a transform of both would not move alike, as it counts in pixels.

        Raises:
            DataError: Some are of different extents there.
        """
        assert self.targets is not None and self.inputs.compared is not None  # noqa: S101 - there are extents
        for index, extent in extents.items():
            if others.get(index, extent) != extent:
                raise _ApartError(
                    f"{self.inputs.source.locate(index)} is {in_words(extent)}, but its target "
                    f"{self.targets.source.locate(index)} is {in_words(others[index])}, where "
                    f"`{self.inputs.compared.name}` acts on both, and would move them apart; bring "
                    "them to one size by a `resize` before it, or repair the file"
                )

    def _any(self, request: Request) -> Gathered:
        """One sample that can be read: it tells the shape of those that cannot."""
        first: DataError | None = None
        for index in range(len(self)):
            try:
                return self._gathered(np.array([index]), request)
            except DataError as error:
                first = first or error
        assert first is not None  # noqa: S101 - no set is empty
        raise none_left(len(self), first)

    def unequal(self, one: tuple[int, Sequence[Shape]], other: tuple[int, Sequence[Shape]]) -> DataError:
        """The error that two samples differ in size; each is an index and `Gathered.shapes`."""
        sides = (side for side in (self.inputs, self.targets) if side)
        (index, shapes), (other_index, other_shapes) = one, other
        return next(
            side.unequal((index, shape), (other_index, other_shape))
            for side, shape, other_shape in zip(sides, shapes, other_shapes, strict=True)
            if shape != other_shape
        )

    def batch(self, request: Request, gathered: Gathered, device: torch.device | None = None) -> Batch:
        """Makes of what was gathered what the network sees.

        Args:
            request: What was wanted.
            gathered: What came.
            device: Where it is wanted; where it is by default. Targets stay, since losses look at their values before
                they move them; only pictures of several channels, which hold no classes, travel at once.
        """
        inputs = self.inputs.finish(_moved(gathered.inputs, device))
        targets = None
        if self.targets is not None and gathered.targets is not None:
            in_colour = self.targets.source.meaning == "pixels" and gathered.targets.shape[-1] > 1
            targets = self.targets.finish(_moved(gathered.targets, device if in_colour else None))
        places = range(request.reads) if gathered.kept is None else gathered.kept
        kept = [place for place in places if place < request.count]
        if request.mixed and kept:
            whole = gathered.kept is None
            generators = request.indices[kept].tolist()
            inputs, targets = self._mixed(inputs, targets, generators, request, whole=whole)
        names = self.names
        return Batch(
            [names[index] for index in request.indices[kept].tolist()], inputs, targets, request.first, request.size
        )

    def _mixed(
        self, inputs: Tensor, targets: Tensor | None, indices: Sequence[int], request: Request, *, whole: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Blends each sample with the next; where some are missing, the first follows the last."""
        count, extent = len(indices), inputs.shape[2:]
        if targets is not None and targets.ndim == 1 and not targets.is_floating_point():
            if not self.classes:
                message = "mixes classes, but how many there are is not known; take targets of type `labels`"
                raise ConfigError(Problem(f"data.transforms.{self.mixes[0][1].name}", message))
            targets = one_hot(targets, len(self.classes)).float()
        inputs, partners = _with_partners(inputs, count, whole=whole)
        if targets is not None:
            targets, their_partners = _with_partners(targets, count, whole=whole)
        for position, mix in self.mixes:

            def draws(position: int = position) -> list[np.random.Generator]:
                return [sample_generator(request.seed, request.epoch, index, position) for index in indices]

            inputs = mix.mix(inputs, partners, draws(), extent)
            if targets is not None:
                targets = mix.mix(targets, their_partners, draws(), extent)
        return inputs, targets


def _with_partners(values: Tensor, count: int, *, whole: bool) -> tuple[Tensor, Tensor]:
    """The samples of this process, and for each the one that is mixed in."""
    own = values[:count]
    return own, values[1 : count + 1] if whole else own.roll(-1, 0)


def _moved(array: NDArray[Any], device: torch.device | None) -> Tensor:
    """A tensor on the device; from memory that the device reads by itself, where it is none of the CPU."""
    tensor = torch.from_numpy(array)
    if device is None or device.type == "cpu":
        return tensor
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)
