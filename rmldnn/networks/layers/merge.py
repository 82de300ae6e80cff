"""Layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from string import ascii_lowercase
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

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
    return Layer(_common(shapes, "subtract"), (_fold(torch.sub, difference, shapes),))


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


@component("Dot")
def dot(shapes: Shapes, keras: int = 2, *, axes: int | list[int], normalize: bool = False) -> Layer:
    """The scalar products of the vectors along one axis of the first input with those of the second.

    The result has the other axes of the first input, then those of the second, or a single channel if there are none.

    Args:
        shapes: Keras shapes of the inputs.
        keras: The generation of Keras, which differ in what they take for a vector of length 0.
        axes: Keras axis of the vectors, the batch being 0, or one for each input.
        normalize: Whether vectors are divided by their length, which makes cosines of the products.
    """
    if len(shapes) != 2:
        raise NetworkError(f"multiplies two inputs, got {len(shapes)}; change `inbound_nodes`")
    pair = [axes, axes] if isinstance(axes, int) else axes
    if len(pair) != 2:
        raise NetworkError(f"`axes` must be an axis or a list of 2, got {axes}")
    dims = [dimension(axis, shape) for axis, shape in zip(pair, shapes, strict=True)]
    places = [axis - 1 if axis > 0 else len(shape) + axis for axis, shape in zip(pair, shapes, strict=True)]
    if _unlike(shapes[0][places[0]], shapes[1][places[1]]):
        raise NetworkError(f"cannot multiply inputs of {_listed(shapes)} along axes {pair}; change `axes`")
    # one letter for each of Keras' axes; the vectors' axes share one
    first, second = ascii_lowercase[: len(shapes[0])], ascii_lowercase[len(shapes[0]) :][: len(shapes[1])]
    shared = first[places[0]]
    second = second.replace(second[places[1]], shared)
    rest = (first + second).replace(shared, "")
    extents = dict(zip(first + second, (*shapes[0], *shapes[1]), strict=True))
    equation = f"{_stored(first)},{_stored(second)}->{_stored(rest)}"
    keywords: dict[str, Any] = {"equation": equation}
    if normalize:
        keywords |= {"dims": dims, "epsilon": 1e-6 if keras == 2 else 1e-7}
    steps: tuple[Step, ...] = (partial(cosines if normalize else products, **keywords),)
    if not rest:
        steps = (*steps, partial(torch.unsqueeze, dim=1))
    return Layer(tuple(extents[letter] for letter in rest) or (1,), steps)


def _stored(letters: str) -> str:
    """The axes of a tensor, in Einstein's notation, from those of Keras without the batch."""
    return f"Z{letters[-1:]}{letters[:-1]}"


def products(x: Tensor, y: Tensor, equation: str) -> Tensor:
    """The sums of products that an equation in Einstein's notation describes."""
    return torch.einsum(equation, x, y)


def cosines(x: Tensor, y: Tensor, equation: str, dims: Sequence[int], epsilon: float) -> Tensor:
    """The same of vectors that were divided by their lengths, at least `epsilon`; `dims` are theirs in each tensor."""
    x, y = (functional.normalize(tensor, dim=dim, eps=epsilon) for tensor, dim in zip((x, y), dims, strict=True))
    return torch.einsum(equation, x, y)


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
    return reduce(torch.add, aligned(tensors))


def difference(*tensors: Tensor) -> Tensor:
    """The first tensor minus the second."""
    return reduce(torch.sub, aligned(tensors))


def product(*tensors: Tensor) -> Tensor:
    """The product of tensors."""
    return reduce(torch.mul, aligned(tensors))


def largest(*tensors: Tensor) -> Tensor:
    """The largest of tensors, element by element."""
    return reduce(torch.maximum, aligned(tensors))


def smallest(*tensors: Tensor) -> Tensor:
    """The smallest of tensors, element by element."""
    return reduce(torch.minimum, aligned(tensors))


def aligned(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with equally many axes: those that lack some get extents of 1 before Keras' other axes."""
    rank = max(tensor.dim() for tensor in tensors)
    return [tensor[(slice(None),) * min(tensor.dim(), 2) + (None,) * (rank - tensor.dim())] for tensor in tensors]


def _fold(two: Step, many: Step, shapes: Shapes) -> Step:
    """The function of torch where it suffices, so that the compiled code reads as if written by hand."""
    return two if len(shapes) == 2 and len(shapes[0]) == len(shapes[1]) else many


def _common(shapes: Shapes, verb: str) -> Shape:
    """The shape of inputs taken element by element; an extent of 1 stands for any other."""
    if len(shapes) < 2:
        raise NetworkError("needs at least two inputs; name them in `inbound_nodes`")
    result = []
    rank = max(map(len, shapes))
    for extents in zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes), strict=True):
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
