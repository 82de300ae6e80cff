"""Windows that slide over the spatial axes: what convolutions and pooling share.

Keras' `same` padding is TensorFlow's: `ceil(extent / stride)` windows, and where the padding is odd the extra
element comes last, so that it depends on the extent and is not always symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from torch import Tensor
from torch.nn import functional

from rmldnn.component import near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Shape, Step
from rmldnn.networks.layout import size

Sides: TypeAlias = tuple[int, int]
"""Padding before and behind one axis."""


def per_axis(value: int | Sequence[int], axes: int, key: str) -> tuple[int, ...]:
    """One number for each spatial axis, from one for all or a list.

    Args:
        value: As the user wrote it.
        axes: Number of spatial axes.
        key: What the user calls it.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise NetworkError(f"`{key}` must be a number or a list of {axes}, got {show(list(value))}")
    return tuple(value)


def padding_word(padding: str, *further: str, remedy: str = "") -> str:
    """The word for a padding, in lower case; users may write it in any.

    Args:
        padding: As the user wrote it.
        further: The words that the layer knows besides `valid` and `same`.
        remedy: What a message says that the user may write instead of a word.
    """
    words = ("valid", "same", *further)
    if padding.lower() not in words:
        raise NetworkError(f"unknown padding {show(padding)}{near_miss(padding, words)}{remedy}")
    return padding.lower()


def sides_per_axis(value: int | Sequence[int | Sequence[int]], axes: int, key: str) -> tuple[Sides, ...]:
    """The two sides of each spatial axis, from one number for all, one for each axis, or a pair for each.

    Args:
        value: As the user wrote it; along a single axis, two numbers are its two sides.
        axes: Number of spatial axes.
        key: What the user calls it.
    """
    if isinstance(value, int):
        return ((value, value),) * axes
    given = [value] if axes == 1 and len(value) == 2 and isinstance(value[0], int) else value
    sides: list[Sides] = []
    for side in given:
        match side:
            case int():
                sides.append((side, side))
            case [int(low), int(high)]:
                sides.append((low, high))
    if len(sides) != axes or len(given) != axes:
        forms = "a number or a pair" if axes == 1 else f"a number, or a list of {axes} numbers or pairs"
        raise NetworkError(f"`{key}` must be {forms}, got {show(value)}")
    return tuple(sides)


@dataclass(frozen=True)
class Window:
    """A window and its steps, one number per spatial axis each."""

    extent: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """How far the window stretches, holes included."""
        return tuple((extent - 1) * hole + 1 for extent, hole in zip(self.extent, self.dilation, strict=True))

    def same(self, spatial: Shape) -> tuple[Sides, ...] | None:
        """Padding that makes `same`; None if it depends on extents that are not known yet."""
        sides = []
        for extent, reach, stride in zip(spatial, self.reach, self.stride, strict=True):
            if extent is None and reach > 1 and stride > 1:
                return None
            sides.append(same_sides(extent or 1, reach, stride))
        return tuple(sides)

    def counts(self, spatial: Shape, padding: Sequence[Sides]) -> Shape:
        """How many windows fit along each axis; None along axes of unknown extent."""
        return tuple(
            None if extent is None else (extent + sum(sides) - reach) // stride + 1
            for extent, sides, reach, stride in zip(spatial, padding, self.reach, self.stride, strict=True)
        )

    def same_counts(self, spatial: Shape) -> Shape:
        """How many windows `same` padding makes."""
        return tuple(
            None if extent is None else -(-extent // stride)
            for extent, stride in zip(spatial, self.stride, strict=True)
        )

    def fit(self, padding: str | int | Sequence[int], spatial: Shape) -> Fit:
        """Lays the window of a convolution on its input.

        Args:
            padding: `valid`, `same`, along one axis also `causal`, or numbers of zeros for both sides of each axis.
            spatial: The spatial axes of the input.
        """
        none = (0,) * len(spatial)
        sides = self._sides(padding, spatial)
        if sides is None:
            return Fit(self.same_counts(spatial), none, (partial(pad_same, reach=self.reach, stride=self.stride),))
        self.must_fit(spatial, sides, "kernel_size")
        counts = self.counts(spatial, sides)
        if all(low == high for low, high in sides):
            return Fit(counts, tuple(low for low, _ in sides))
        return Fit(counts, none, (partial(functional.pad, pad=flat(sides)),))

    def _sides(self, padding: str | int | Sequence[int], spatial: Shape) -> tuple[Sides, ...] | None:
        """The padding of every axis; None if it depends on extents that are not known yet."""
        axes = len(spatial)
        if not isinstance(padding, str):
            return tuple((amount, amount) for amount in per_axis(padding, axes, "padding"))
        causal = ["causal"] if axes == 1 else []
        word = padding_word(padding, *causal, remedy="; or a number for each axis")
        if word == "same":
            return self.same(spatial)
        return ((self.reach[0] - 1, 0),) if word == "causal" else ((0, 0),) * axes

    def must_fit(self, spatial: Shape, padding: Sequence[Sides], key: str) -> None:
        """Refuses a window that is larger than its padded input.

        Args:
            spatial: The spatial axes of the input.
            padding: What is added to them.
            key: What the user calls the window's extent.
        """
        if any(count is not None and count < 1 for count in self.counts(spatial, padding)):
            spread = f" with dilation_rate {list(self.dilation)}" if max(self.dilation) > 1 else ""
            raise NetworkError(
                f"{key} {list(self.extent)}{spread} does not fit into its input of {size(spatial)}; "
                f'make {key} smaller or padding "same"'
            )


class Fit(NamedTuple):
    """How a window lies on its input.

    Args:
        counts: How many results there are along each axis.
        padding: Zeros that the convolution itself adds on both sides of each axis.
        before: What pads the input where both sides are not alike.
    """

    counts: Shape
    padding: tuple[int, ...]
    before: tuple[Step, ...] = ()


def same_sides(extent: int, reach: int, stride: int) -> Sides:
    """The padding of one axis under `same`."""
    total = max((-(-extent // stride) - 1) * stride + reach - extent, 0)
    return total // 2, total - total // 2


def flat(padding: Sequence[Sides]) -> list[int]:
    """Padding in the order that torch's `pad` takes: the last axis first."""
    return [amount for sides in reversed(padding) for amount in sides]


def pad_same(x: Tensor, reach: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pads with zeros as `same` asks for the extents that the tensor turns out to have, shape (N, C, *spatial)."""
    extents = x.shape[2:]
    sides = [same_sides(*axis) for axis in zip(extents, reach, stride, strict=True)]
    return functional.pad(x, flat(sides))


def cropped(x: Tensor, sides: Sequence[Sides]) -> Tensor:
    """A view without what is cut away before and behind each spatial axis; `x` has the shape (N, C, *spatial)."""
    for dim, (low, high) in enumerate(sides, start=2):
        if low or high:
            x = x.narrow(dim, low, x.shape[dim] - low - high)
    return x
