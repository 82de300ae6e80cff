"""From Keras' order of axes to torch's.

Keras means (N, *spatial, C); tensors here are (N, C, *spatial). Every axis and shape of a network file is Keras', and
this module alone knows where that is in a tensor. Tensors of rank 2 and less are the same in both.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Shape, Step

CHANNELS = 1
"""The dimension of a tensor that is Keras' last axis."""


def dimension(axis: int, shape: Shape, key: str = "axis") -> int:
    """The dimension of a tensor that a Keras axis means.

    Args:
        axis: Keras' number of the axis, the batch being 0; negative ones count from the end.
        shape: Keras shape of the tensor, without the batch.
        key: What the user calls the axis.
    """
    rank = len(shape) + 1
    if axis == 0 or not -rank < axis < rank:
        raise NetworkError(f"{key} {axis} is no axis of its input of {size(shape)}; use {_axes(rank)}")
    axis %= rank
    return CHANNELS if axis == rank - 1 else axis + 1


def _axes(rank: int) -> str:
    return "-1 or 1" if rank == 2 else f"-1, or 1 to {rank - 1}"


def channels_last(shape: Shape) -> tuple[Step, ...]:
    """What brings a tensor of this Keras shape into Keras' order; nothing where both orders are the same."""
    return () if _same(shape) else (partial(torch.movedim, source=1, destination=-1),)


def channels_first(shape: Shape) -> tuple[Step, ...]:
    """What brings a tensor of this Keras shape back from Keras' order."""
    return () if _same(shape) else (partial(torch.movedim, source=-1, destination=1),)


def _same(shape: Shape) -> bool:
    return len(shape) < 2


def tensor_shape(shape: Shape) -> Shape:
    """The shape of one sample's tensor: channels first."""
    return (*shape[-1:], *shape[:-1])


def spatial_input(shape: Shape, axes: int, *, any_channels: bool = False) -> tuple[Any, ...]:
    """The shape of an input with this many spatial axes, else an error; its channels have a fixed number, or any."""
    if len(shape) != axes + 1:
        raise NetworkError(
            f"needs {axes} spatial axes and channels, got an input of {size(shape)}; "
            "use the layer of the matching dimension, or Reshape before it"
        )
    if shape[-1] is None and not any_channels:
        raise NetworkError("the channels of its input have no fixed number; end `batch_input_shape` with one")
    return shape


def size(shape: Shape) -> str:
    """A shape in words: `28 x 28 x 1`."""
    return " x ".join("?" if extent is None else str(extent) for extent in shape) if shape else "single numbers"
