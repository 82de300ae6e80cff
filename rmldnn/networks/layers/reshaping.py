"""Layers that rearrange elements in Keras' order, channels last."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import channels_first, channels_last, dimension, size
from rmldnn.types import Count

_FLATTEN = partial(torch.flatten, start_dim=1)


@component("Flatten")
def flatten(shape: Shape, *, data_format: Literal["channels_last", "channels_first"] | None = None) -> Layer:
    """All elements of a sample in one row.

    Args:
        shape: Keras shape of the input.
        data_format: `channels_first` if Keras' first axis are the channels; the row has them last all the same.
    """
    if data_format == "channels_first" and len(shape) > 1:
        return Layer((_product(shape),), (*channels_last(shape), *channels_last(shape), _FLATTEN))
    return Layer((_product(shape),), _in_a_row(shape))


@component("Reshape")
def reshape(shape: Shape, *, target_shape: list[int]) -> Layer:
    """The elements of a sample in another shape.

    Args:
        shape: Keras shape of the input.
        target_shape: Keras shape of the result without the batch; one entry may be -1, for what is left.
    """
    if target_shape.count(-1) > 1 or any(extent < 1 and extent != -1 for extent in target_shape):
        raise NetworkError(f"target_shape {target_shape} must hold positive numbers, and -1 at most once")
    elements, known = _product(shape), math.prod(extent for extent in target_shape if extent != -1)
    if elements is not None and (elements % known if -1 in target_shape else elements != known):
        raise NetworkError(
            f"target_shape {target_shape} holds {known} elements{' times a number' if -1 in target_shape else ''}, "
            f"its input of {size(shape)} holds {elements}; change `target_shape`"
        )
    rest = None if elements is None else elements // known
    result = tuple(rest if extent == -1 else extent for extent in target_shape)
    return Layer(result, _reshaped(shape, result))


def _reshaped(shape: Shape, result: Shape) -> tuple[Step, ...]:
    if shape == result and None not in shape:
        return ()
    sizes = [-1 if extent is None else extent for extent in result]
    if len(shape) > 1 and len(result) > 1 and shape[-1] is not None and shape[-1] == result[-1]:
        # the channels stay what they are, so nothing has to be moved
        row: tuple[Step, ...] = (partial(torch.flatten, start_dim=2),) if len(shape) > 2 else ()
        return (*row, partial(torch.unflatten, dim=2, sizes=sizes[:-1])) if len(result) > 2 else row
    if not result:
        return (*_in_a_row(shape), partial(torch.squeeze, dim=1))
    if len(result) == 1:
        return _in_a_row(shape)
    return (*_in_a_row(shape), partial(torch.unflatten, dim=1, sizes=sizes), *channels_first(result))


@component("Permute")
def permute(shape: Shape, *, dims: list[Count]) -> Layer:
    """The axes of a sample in another order.

    Args:
        shape: Keras shape of the input.
        dims: Which Keras axis of the input each axis of the result is, counted from 1.
    """
    axes = list(range(1, len(shape) + 1))
    if sorted(dims) != axes:
        raise NetworkError(f"dims {dims} must hold each of {axes} once, the axes of its input of {size(shape)}")
    order = [0, *(dimension(axis, shape, "dims") for axis in (*dims[-1:], *dims[:-1]))]
    steps = () if dims == axes else (partial(torch.permute, dims=order),)
    return Layer(tuple(shape[axis - 1] for axis in dims), steps)


@component("RepeatVector")
def repeat_vector(shape: Shape, *, n: Count) -> Layer:
    """A sequence of `n` times the same vector."""
    if len(shape) != 1:
        raise NetworkError(f"repeats vectors, got an input of {size(shape)}; put a Flatten or pooling layer before it")
    return Layer((n, *shape), (partial(repeated, times=n),))


def repeated(x: Tensor, times: int) -> Tensor:
    """A view of shape (N, C, times) of vectors (N, C)."""
    return x.unsqueeze(2).expand(-1, -1, times)


def _in_a_row(shape: Shape) -> tuple[Step, ...]:
    if not shape:
        return (partial(torch.unsqueeze, dim=1),)
    if len(shape) < 2:
        return ()
    # a single channel, or a single place, lies in the same order either way
    moves = () if shape[-1] == 1 or all(extent == 1 for extent in shape[:-1]) else channels_last(shape)
    return (*moves, _FLATTEN)


def _product(shape: Shape) -> int | None:
    return math.prod(extent for extent in shape if extent is not None) if None not in shape else None
