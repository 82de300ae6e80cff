"""What transforms look like, so that each of them is one file in `rmldnn.data.transforms`.

A transform component returns one of two kinds of value. A `SampleTransform` changes the pixels of one image, in the
order of the configuration; a `BatchTransform` acts after all of those, on the assembled batch of values in [0, 1].

Inputs and targets go separate ways and are still moved alike: a random transform gets a generator whose state depends
on nothing but (seed, epoch, sample, position in the list of transforms), so both sides of a pair draw the same numbers,
on any number of processes and workers. A random transform must therefore draw the same numbers for every `Part`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.affine import Affine

Pixels: TypeAlias = NDArray[Any]
"""One image, (H, W, C), of any number type; never changed in place, as it may be kept for the next epoch."""


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
    """Does the same to an image every time, so that the result may be kept.

    Attributes:
        name: The name users write; `str()` of the transform gives its values as the log shows them.
        training_only: Whether test sets go without it.
    """

    name: ClassVar[str]
    random: ClassVar[Literal[False]]
    training_only: ClassVar[bool]

    def __call__(self, pixels: Pixels, part: Part) -> Pixels:
        """The transformed image; the same array if there is nothing to do."""
        ...


class RandomTransform(Protocol):
    """Draws anew for every sample and epoch; attributes as of `FixedTransform`."""

    name: ClassVar[str]
    random: ClassVar[Literal[True]]
    training_only: ClassVar[bool]

    def __call__(self, pixels: Pixels, part: Part, generator: np.random.Generator) -> Pixels:
        """The transformed image; the same array if there is nothing to do."""
        ...


@runtime_checkable
class BatchTransform(Protocol):
    """Scales and shifts the values of a batch; `name` and `str()` as of `FixedTransform`."""

    name: ClassVar[str]

    @property
    def affine(self) -> Affine:
        """What happens to the values."""
        ...


SampleTransform: TypeAlias = FixedTransform | RandomTransform
Transform: TypeAlias = SampleTransform | BatchTransform
