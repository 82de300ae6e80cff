"""Layers that rearrange elements in Keras' order, channels last."""

from __future__ import annotations

import math
from functools import partial

import torch

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import channels_first, channels_last, size

_FLATTEN = partial(torch.flatten, start_dim=1)


@component("Flatten")
def flatten(shape: Shape) -> Layer:
    """All elements of a sample in one row."""
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
    steps = _in_a_row(shape)
    if len(target_shape) > 1:
        sizes = [-1 if extent is None else extent for extent in result]
        steps = (*steps, partial(torch.unflatten, dim=1, sizes=sizes), *channels_first(result))
    return Layer(result, steps)


def _in_a_row(shape: Shape) -> tuple[Step, ...]:
    if len(shape) < 2:
        return ()
    # a single channel, or a single place, lies in the same order either way
    moves = () if shape[-1] == 1 or all(extent == 1 for extent in shape[:-1]) else channels_last(shape)
    return (*moves, _FLATTEN)


def _product(shape: Shape) -> int | None:
    return math.prod(extent for extent in shape if extent is not None) if None not in shape else None
