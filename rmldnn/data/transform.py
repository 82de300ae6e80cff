"""What transforms look like, so that each of them is one file in `rmldnn.data.transforms`.

A transform component returns one of three kinds of value. A `SampleTransform` changes one sample, in the order of the
configuration; a `BatchTransform` acts after all of those, on the assembled batch of values in [0, 1]; a `MixTransform`
acts last, on two batches. Most sample transforms inherit `transforms.geometric` or `transforms.photographic`.

Inputs and targets go separate ways and are still moved alike: a random transform gets a generator whose state depends
on nothing but (seed, epoch, sample, position in the list of transforms), so both sides of a pair draw the same numbers,
on any number of processes and workers. A random transform must therefore draw the same numbers for every `Part`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.affine import Affine

if TYPE_CHECKING:
    from torch import Tensor

Pixels: TypeAlias = NDArray[Any]
"""One image (H, W, C), volume (D, H, W, C) or line (L, C) of any number type; never changed in place, as it may be
kept for the next epoch."""


@final
@dataclass(frozen=True)
class Boxes:
    """What is drawn on one picture: the target of object detection. Geometric transforms move it with the picture.

    Args:
        extent: Height and width of the picture.
        values: Shape (k, 5), float32: class, left, top, right, bottom in pixels from the upper left corner.
    """

    extent: tuple[int, int]
    values: NDArray[np.float32]


Sample = TypeVar("Sample", Pixels, Boxes)
"""What a transform of single samples is given, and gives back."""


@dataclass(frozen=True)
class Part:
    """Which part of a sample is transformed.

    Args:
        role: Whether it is the input or the target.
        mask: Whether pixels are class indices, which must not be blended: the nearest one is taken.
    """

    role: Literal["input", "target"]
    mask: bool = False


class FixedTransform(Protocol):
    """Does the same to a sample every time, so that the result may be kept.

    Attributes:
        name: The name users write; `str()` of the transform gives its values as the log shows them.
        training_only: Whether test sets go without it.
    """

    name: ClassVar[str]
    random: ClassVar[Literal[False]]
    training_only: ClassVar[bool]

    def __call__(self, sample: Sample, part: Part) -> Sample:
        """The transformed sample; the same object if there is nothing to do.

        Raises:
            ConfigError: Such samples cannot be transformed.
            DataError: This sample cannot be; the message does not say where it lies, which the transform cannot know.
        """
        ...


class RandomTransform(Protocol):
    """Draws anew for every sample and epoch; attributes as of `FixedTransform`."""

    name: ClassVar[str]
    random: ClassVar[Literal[True]]
    training_only: ClassVar[bool]

    def __call__(self, sample: Sample, part: Part, generator: np.random.Generator) -> Sample:
        """The transformed sample; the same object if there is nothing to do. Errors as of `FixedTransform`."""
        ...


@runtime_checkable
class BatchTransform(Protocol):
    """Scales and shifts the values of a batch; `name` and `str()` as of `FixedTransform`."""

    name: ClassVar[str]

    @property
    def affine(self) -> Affine:
        """What happens to the values."""
        ...


@runtime_checkable
class MixTransform(Protocol):
    """Blends every sample of a training batch with the one that follows in the order of the epoch.

    It acts on the assembled batch after `BatchTransform`s, with the same draws for inputs and targets; `name` and
    `str()` as of `FixedTransform`.
    """

    name: ClassVar[str]

    def mix(
        self, samples: Tensor, partners: Tensor, generators: Sequence[np.random.Generator], extent: Sequence[int]
    ) -> Tensor:
        """The mixed samples, as a new tensor.

        Args:
            samples: Inputs or dense targets (n, C, *spatial), class maps (n, *spatial), or the classes of whole
                samples as weights (n, classes).
            partners: What is mixed in, of the same shape.
            generators: One for each sample, in the same state for inputs and targets.
            extent: The spatial extent of the inputs; a target of another extent is blended by weights alone.

        Raises:
            ConfigError: Such targets cannot be mixed.
        """
        ...


SampleTransform: TypeAlias = FixedTransform | RandomTransform
Transform: TypeAlias = SampleTransform | BatchTransform | MixTransform
