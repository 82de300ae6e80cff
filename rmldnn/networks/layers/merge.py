"""Layers that make one tensor of several."""

from __future__ import annotations

from functools import partial, reduce

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Shapes, Step
from rmldnn.networks.layout import dimension, size


@component("Add")
def add(shapes: Shapes) -> Layer:
    """The sum of all inputs, element by element."""
    return Layer(_common(shapes, "add"), (_fold(torch.add, total, shapes),))


@component("Subtract")
def subtract(shapes: Shapes) -> Layer:
    """The first input minus the second."""
    if len(shapes) != 2:
        raise NetworkError(f"subtracts one input from another, got {len(shapes)}; change `inbound_nodes`")
    return Layer(_common(shapes, "subtract"), (torch.sub,))


@component("Multiply")
def multiply(shapes: Shapes) -> Layer:
    """The product of all inputs, element by element."""
    return Layer(_common(shapes, "multiply"), (_fold(torch.mul, product, shapes),))


@component("Average")
def average(shapes: Shapes) -> Layer:
    """The mean of all inputs, element by element."""
    return Layer(_common(shapes, "average"), (_fold(torch.add, total, shapes), partial(torch.div, other=len(shapes))))


@component("Maximum")
def maximum(shapes: Shapes) -> Layer:
    """The largest of all inputs, element by element."""
    return Layer(_common(shapes, "compare"), (_fold(torch.maximum, largest, shapes),))


@component("Minimum")
def minimum(shapes: Shapes) -> Layer:
    """The smallest of all inputs, element by element."""
    return Layer(_common(shapes, "compare"), (_fold(torch.minimum, smallest, shapes),))


@component("Concatenate")
def concatenate(shapes: Shapes, *, axis: int = -1) -> Layer:
    """All inputs one behind the other.

    Args:
        shapes: Keras shapes of the inputs.
        axis: Keras axis along which they are laid, the batch being 0; -1 are the channels.
    """
    first = shapes[0]
    dim = dimension(axis, first)
    along = axis - 1 if axis > 0 else len(first) + axis
    result = list(first)
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(
            _unlike(extent, other)
            for index, (extent, other) in enumerate(zip(first, shape, strict=True))
            if index != along
        ):
            raise NetworkError(
                f"cannot join inputs of {_listed(shapes)} along axis {axis}; "
                "all other extents must be equal: change the layers before it, or `axis`"
            )
        result = [known if known is not None else other for known, other in zip(result, shape, strict=True)]
    lengths = [shape[along] for shape in shapes]
    result[along] = None if None in lengths else sum(length for length in lengths if length is not None)
    return Layer(tuple(result), (partial(joined, dim=dim),))


def joined(*tensors: Tensor, dim: int) -> Tensor:
    """Tensors one behind the other along a dimension."""
    return torch.cat(tensors, dim)


def total(*tensors: Tensor) -> Tensor:
    """The sum of tensors."""
    return reduce(torch.add, tensors)


def product(*tensors: Tensor) -> Tensor:
    """The product of tensors."""
    return reduce(torch.mul, tensors)


def largest(*tensors: Tensor) -> Tensor:
    """The largest of tensors, element by element."""
    return reduce(torch.maximum, tensors)


def smallest(*tensors: Tensor) -> Tensor:
    """The smallest of tensors, element by element."""
    return reduce(torch.minimum, tensors)


def _fold(two: Step, many: Step, shapes: Shapes) -> Step:
    """The function of torch where it suffices, so that the compiled code reads as if written by hand."""
    return two if len(shapes) == 2 else many


def _common(shapes: Shapes, verb: str) -> Shape:
    """The shape of inputs taken element by element; an extent of 1 stands for any other."""
    if len(shapes) < 2:
        raise NetworkError("needs at least two inputs; name them in `inbound_nodes`")
    if len({len(shape) for shape in shapes}) > 1:
        raise NetworkError(f"cannot {verb} inputs of {_listed(shapes)}; Reshape them to the same number of axes")
    result = []
    for extents in zip(*shapes, strict=True):
        known = {extent for extent in extents if extent not in (1, None)}
        if len(known) > 1:
            raise NetworkError(
                f"cannot {verb} inputs of {_listed(shapes)}; change the layers before it so that they have one shape"
            )
        result.append(known.pop() if known else None if None in extents else 1)
    return tuple(result)


def _unlike(extent: int | None, other: int | None) -> bool:
    return extent is not None and other is not None and extent != other


def _listed(shapes: Shapes) -> str:
    return " and ".join(size(shape) for shape in shapes)
