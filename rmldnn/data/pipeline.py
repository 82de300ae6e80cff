"""The way of one side of a set, from the source to the batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmldnn.data import boxes, memory
from rmldnn.data.affine import Affine, converted
from rmldnn.data.finite import is_finite, require_finite
from rmldnn.data.holding import hold
from rmldnn.data.order import sample_generator
from rmldnn.data.source import Indices, Samples, Source
from rmldnn.data.transform import Part, Pixels, SampleTransform
from rmldnn.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from torch import Tensor

Shape: TypeAlias = tuple[int, ...]

_PICTURE = 3
"""Axes of a picture: height, width, channels."""
_AXES_TO_MOVE = 3
"""Samples, at least one axis in space, channels: fewer axes leave a transform nothing to do."""


class Compared(NamedTuple):
    """A transform of inputs and targets that counts in whole pixels.

    Args:
        position: Among all transforms.
        name: As users write it.
    """

    position: int
    name: str


@dataclass(frozen=True)
class Pipeline:
    """Takes samples from a source, transforms and stacks them.

    The work is cut in two. `gather` is what worker processes do: it leaves integer pixels integers, so that little has
    to be moved. `finish` does the arithmetic on the whole batch, wherever that batch is by then.

    Args:
        source: The samples.
        part: What they are to the transforms.
        steps: Transforms of single samples, each with its position, which tells random numbers apart.
        affine: What happens to the values in [0, 1].
        compared: The transform before which inputs and targets must have one extent; None if there is none.
        extents: Extents that samples had there, where that transform was applied for good.
        applied: Transforms that were applied for good, when samples were read ahead.
    """

    source: Source
    part: Part
    steps: Sequence[tuple[int, SampleTransform]] = ()
    affine: Affine = field(default_factory=Affine)
    compared: Compared | None = None
    extents: Mapping[int, Shape] = field(default_factory=dict)
    applied: Sequence[SampleTransform] = ()

    def work(self, limit: int) -> int:
        """Bytes to decode for one pass over all samples, or to transform where they lie decoded in memory or in a file;
        may stop counting beyond `limit`."""  # noqa: D205, D209 - one sentence
        encoded = self.source.encoded_bytes(limit)
        if encoded or not self.steps:
            return encoded
        try:
            sample = self.source.take(np.zeros(1, np.int64))[0]
        except DataError:
            return encoded  # told when it is read
        return sample.nbytes * len(self.source.names) if sample.ndim >= _AXES_TO_MOVE - 1 else 0

    def read(self, indices: Indices, seed: int, epoch: int, extents: dict[int, Shape] | None = None) -> Samples:
        """The transformed samples at `indices`.

        Args:
            indices: Of the samples.
            seed: Of the run.
            epoch: Counted from 1.
            extents: Gets the extents that are to be compared with those of the other side.

        Raises:
            DataError: A sample cannot be read.
        """
        if extents is not None and self.extents:
            extents |= {index: self.extents[index] for index in indices.tolist() if index in self.extents}
        if not self.steps:
            return self.source.take(indices)
        with memory.using(np.empty):
            samples = self.source.take(indices)
        if isinstance(samples, np.ndarray) and samples.ndim < _AXES_TO_MOVE:
            return samples
        return [
            self._transformed(pixels, index, seed, epoch, extents)
            for pixels, index in zip(samples, indices.tolist(), strict=True)
        ]

    def gather(self, indices: Indices, seed: int, epoch: int, extents: dict[int, Shape] | None = None) -> NDArray[Any]:
        """The transformed samples at `indices` as one array with a leading axis; images are (n, H, W, C). See `read`.

        Raises:
            DataError: A sample cannot be read, or sizes within the batch differ.
        """
        samples = self.read(indices, seed, epoch, extents)
        if self.source.meaning == "boxes":
            return boxes.padded(samples, boxes.most(self.source))
        if isinstance(samples, np.ndarray):
            return samples if self.source.finite else self._finite(samples, indices)
        place = next((place for place, sample in enumerate(samples) if sample.shape != samples[0].shape), None)
        if place is not None:
            raise self.unequal(*[(int(indices[at]), samples[at].shape) for at in (0, place)])
        dtypes = {sample.dtype for sample in samples}
        dtype = np.result_type(*dtypes)
        if len(dtypes) > 1:
            if self.source.meaning == "pixels" and len({kind.kind for kind in dtypes}) > 1:
                raise self._mixed(samples, indices)
            if dtype == np.uint16:
                samples = [_widened(sample) for sample in samples]
        batch = memory.empty((len(samples), *samples[0].shape), dtype)
        return self._finite(np.stack(samples, out=batch), indices)

    def finish(self, gathered: Tensor) -> Tensor:
        """What the network sees: float32 (n, C, *spatial), channels last in memory; classes int64 (n, *spatial)."""
        import torch

        if self.source.meaning == "boxes":
            return gathered
        if self.source.meaning == "classes":
            classes = gathered[..., 0] if gathered.ndim > 1 else gathered
            return converted(classes, torch.int64)
        channels = gathered.shape[-1]
        if self.affine.channels not in (None, channels):
            raise ConfigError(
                Problem(
                    "data.transforms",
                    f"`normalize` has {self.affine.channels} values, one per channel, but the channels of these "
                    f"images are {channels}; see `grayscale`",
                )
            )
        scaled = self.source.meaning == "pixels" and not gathered.is_floating_point()
        bytes_per_channel = gathered.dtype.itemsize if scaled else 0
        return _from_pixels(self.affine, bytes_per_channel)(gathered.movedim(-1, 1))

    def unequal(self, one: tuple[int, Shape], other: tuple[int, Shape]) -> DataError:
        """The error that two samples differ in shape.

        Args:
            one: Index and shape of the sample that has the right shape.
            other: Index and shape of the one that has not.
        """
        (index, shape), (other_index, other_shape) = one, other
        place, other_place = self.source.locate(index), self.source.locate(other_index)
        same_rank = len(shape) == len(other_shape)
        if same_rank and len(shape) > 1 and shape[:-1] == other_shape[:-1]:
            return DataError(
                f"samples of one set differ in their channels: {place} has {shape[-1]}, {other_place} has "
                f"{other_shape[-1]}; give all of them as many"
            )
        if same_rank and self.source.meaning != "values" and len(shape) == _PICTURE:
            (height, width, _), (other_height, other_width, _) = shape, other_shape
            noun = "images" if self.source.meaning == "pixels" else "masks"
            return DataError(
                f"{noun} of one set differ in size: {place} is {width} x {height}, {other_place} is {other_width} x "
                f"{other_height} (width x height); bring them to one size with `transforms`: "
                f'[{{"resize": [{width}, {height}]}}]'
            )
        return DataError(
            f"samples of one set differ in shape: {place} is {_text(shape)}, {other_place} is {_text(other_shape)} "
            "(channels last); cut them alike with `slicers`, or bring them to one shape with `transforms`"
        )

    def _finite(self, batch: NDArray[Any], indices: Indices) -> NDArray[Any]:
        """Refuses what is not a number."""
        if not is_finite(batch):
            for index, sample in zip(indices.tolist(), batch, strict=True):
                require_finite(sample, functools.partial(self.source.locate, index))
        return batch

    def _mixed(self, samples: Samples, indices: Indices) -> DataError:
        place = next(at for at, sample in enumerate(samples) if sample.dtype.kind != samples[0].dtype.kind)
        return DataError(
            f"pictures of one set differ in the kind of their numbers: {self.source.locate(int(indices[0]))} holds "
            f"{samples[0].dtype}, {self.source.locate(int(indices[place]))} holds {samples[place].dtype}; save all of "
            "them as integers, or all as floats"
        )

    def _transformed(
        self, pixels: Pixels, index: int, seed: int, epoch: int, extents: dict[int, Shape] | None
    ) -> Pixels:
        hold(index)
        if self.source.meaning == "boxes":
            return self._moved(pixels, index, seed, epoch, extents)
        compared = self.compared.position if self.compared and extents is not None else None
        try:
            for position, step in self.steps:
                if position == compared and extents is not None:
                    extents[index] = pixels.shape[:-1]
                if step.random:
                    pixels = step(pixels, self.part, sample_generator(seed, epoch, index, position))
                else:
                    pixels = step(pixels, self.part)
        except DataError as error:
            raise DataError(f"{self.source.locate(index)}: {error}") from error
        return pixels

    def _moved(
        self, rows: NDArray[Any], index: int, seed: int, epoch: int, extents: dict[int, Shape] | None
    ) -> NDArray[Any]:
        """Boxes, moved as the picture is."""
        sample = boxes.read(rows)
        compared = self.compared.position if self.compared and extents is not None else None
        for position, step in self.steps:
            if position == compared and extents is not None:
                extents[index] = sample.extent
            if step.random:
                sample = step(sample, self.part, sample_generator(seed, epoch, index, position))
            else:
                sample = step(sample, self.part)
        return boxes.rows(sample)


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _widened(pixels: Pixels) -> Pixels:
    """Pixels of 8 bits as pixels of 16 bits, so that they can stand in one batch: white, 255, becomes 65535."""
    return pixels * np.uint16(257) if pixels.dtype == np.uint8 else pixels


@functools.cache
def _from_pixels(affine: Affine, bytes_per_channel: int) -> Affine:
    """`affine` after scaling the integers of this size to [0, 1]; 0 stands for floats, which are not scaled."""
    return affine.after(Affine((1 / (256**bytes_per_channel - 1),))) if bytes_per_channel else affine
