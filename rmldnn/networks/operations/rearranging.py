"""Other shapes and orders of axes, and products of matrices; all in Keras' order of axes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layers.reshaping import reshape as reshaped
from rmldnn.networks.layout import channels_first, channels_last, dimension, size
from rmldnn.networks.operations.operands import (
    BATCH,
    Build,
    Extent,
    Given,
    Operand,
    Sizes,
    applied,
    layer,
    numbers,
    tensor,
    to_first,
    to_last,
    words,
)
from rmldnn.networks.operations.pointwise import ToFloat


def extents(value: Any, key: str) -> list[Extent]:
    """A list of extents whose entries may be extents of tensors."""
    found: list[Extent] = []
    for entry in numbers(value):
        if isinstance(entry, Sizes) and entry.single:
            found += entry.numbers
        elif entry is None or isinstance(entry, int) or entry == BATCH:
            found.append(entry)
        else:
            met = words(entry) if isinstance(entry, Given | Sizes) else show(entry)
            raise NetworkError(f"{key} must be a list of integers, got {met} in it")
    return found


def reshape(x: Operand, shape: Any) -> Layer:
    """The same elements in another shape, the batch first: -1, or the extent of a tensor."""
    if isinstance(x, Sizes):
        return Layer(Sizes(x.numbers, single=shape == []))
    given = tensor(x).shape
    batch, *rest = extents(shape, "`shape`") or [None]
    rest = [-1 if extent is None else extent for extent in rest]
    if batch not in (-1, BATCH, None) or BATCH in rest or rest.count(-1) > 1:
        raise NetworkError(
            f"reshapes its input of {size(given)} to {_listed([batch, *rest])}: the first entry must be the batch, -1, "
            "and at most one other is not known; change it, or give the input a full `batch_input_shape`"
        )
    target = [extent for extent in rest if isinstance(extent, int)]
    elements = None if None in given else math.prod(extent for extent in given if extent is not None)
    if target and (-1 in target or elements == math.prod(target)):
        return reshaped(given, target_shape=target)
    known = math.prod(target)
    if -1 in target or (elements is not None and elements % known and known % elements):
        raise NetworkError(f"reshapes its input of {size(given)} to {_listed([batch, *rest])}; change the shape")
    steps: tuple[Step, ...] = (
        *channels_last(given),
        partial(torch.reshape, shape=[-1, *target]),
        *channels_first(tuple(target)),
    )
    return Layer(tuple(target), steps)  # samples are cut into more, or joined, until another one undoes it


def _listed(entries: list[Extent]) -> str:
    return show([-1 if entry == BATCH else entry for entry in entries])


def transpose(x: Operand, axes: list[int] | None = None) -> Layer:
    """The axes in another order, the batch first."""
    shape = tensor(x).shape
    rank = len(shape) + 1
    order = axes if axes is not None else list(reversed(range(rank)))
    order = [axis + rank if isinstance(axis, int) and axis < 0 else axis for axis in order]
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise NetworkError(
            f"orders the axes as {show(order)}, which must be the numbers from 0 to {rank - 1} with the batch, 0, first"
        )
    first = [0, *order[-1:], *order[1:-1]] if rank > 1 else [0]
    dims = [dimension(axis, shape) if axis else 0 for axis in first]
    result: Shape = tuple(shape[axis - 1] for axis in order[1:])
    return Layer(result, () if dims == list(range(rank)) else (partial(torch.permute, dims=dims),))


def swapaxes(x: Operand, axis1: int, axis2: int) -> Layer:
    """Two axes exchanged."""
    order = list(range(tensor(x).rank))
    try:
        order[axis1], order[axis2] = order[axis2], order[axis1]
    except IndexError:
        raise NetworkError(f"exchanges axes {axis1} and {axis2} of {words(x)}") from None
    return transpose(x, order)


def moveaxis(x: Operand, source: int | list[int], destination: int | list[int]) -> Layer:
    """Axes moved to other places."""
    rank = tensor(x).rank
    pairs = [[axis % rank for axis in (one if isinstance(one, list) else [one])] for one in (source, destination)]
    order = [axis for axis in range(rank) if axis not in pairs[0]]
    for place, axis in sorted(zip(pairs[1], pairs[0], strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def matrix_transpose(x: Operand) -> Layer:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def flattened(x: Operand) -> Layer:
    """All elements of a sample in a row."""
    return reshape(x, [BATCH, -1])


def matrix_product(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    """Products of the matrices in the last two of Keras' axes."""
    x, y = to_last(x), to_last(y)
    return to_first(torch.matmul(x.mT if transpose_x else x, y.mT if transpose_y else y))


def matmul(x: Operand, y: Operand, transpose_x: bool = False, transpose_y: bool = False) -> Layer:
    """Products of matrices."""
    return applied(partial(matrix_product, transpose_x=transpose_x, transpose_y=transpose_y), [x, y])


def dot(x: Operand, y: Operand) -> Layer:
    """The product of a tensor and a matrix of numbers."""
    if isinstance(x, Given) and isinstance(y, Given):
        raise NetworkError("the `dot` of two tensors mixes the samples; use `matmul`, `einsum` or a Dot layer")
    return matmul(x, y)


def contracted(x: Tensor, y: Tensor, dims: Any) -> Tensor:
    """Sums of products along some of Keras' axes of both."""
    return to_first(torch.tensordot(to_last(x), to_last(y), dims))


def tensordot(x: Operand, y: Operand, axes: int | list[Any]) -> Layer:
    """Sums of products with constants along axes of both."""
    if not isinstance(x, Given) or isinstance(y, Given):
        raise NetworkError("`tensordot` of two tensors mixes the samples of a batch; use `einsum`, or a Dot layer")
    dims = axes if isinstance(axes, int) else [one if isinstance(one, list) else [one] for one in axes]
    return applied(partial(contracted, dims=dims), [x, y])


def sum_of_products(*tensors: Tensor, subscripts: str) -> Tensor:
    """`torch.einsum` of tensors in Keras' order of axes."""
    return to_first(torch.einsum(subscripts, *map(to_last, tensors)))


def einsum(subscripts: str, operands: list[Operand]) -> Layer:
    """Sums of products by a formula."""
    if not operands:
        raise NetworkError(
            "Keras 2 loses the tensors of `einsum` in its files; write it with matmul, or as an EinsumDense layer"
        )
    return applied(partial(sum_of_products, subscripts=subscripts.replace(" ", "")), operands)


def tile(x: Operand, repeats: Any) -> Layer:
    """Copies side by side, so many along each axis."""
    shape = tensor(x).shape
    given = extents(repeats, "the counts")
    batch, *counts = [count if isinstance(count, int) else 0 for count in given] or [0]
    if batch != 1 or len(counts) != len(shape) or min(counts, default=1) < 1:
        raise NetworkError(
            f"repeats its input of {size(shape)} {_listed(given)} times; "
            "give 1 for the batch and a number for each other axis"
        )
    if all(count == 1 for count in counts):
        return Layer(shape)
    return layer((partial(torch.tile, dims=[1, *counts[-1:], *counts[:-1]]),), [shape])


def broadcast_to(x: Operand, shape: Any) -> Layer:
    """Axes of extent 1 stretched."""
    given = tensor(x).shape
    batch, *rest = extents(shape, "`shape`") or [None]
    target = [extent for extent in rest if isinstance(extent, int)]
    if batch not in (-1, BATCH) or len(rest) != len(given) or len(target) < len(rest):
        raise NetworkError(
            f"stretches its input of {size(given)} to {_listed([batch, *rest])}: the batch must be a tensor's and "
            "all others numbers; use a layer that repeats, or multiply by constant ones"
        )
    return layer((partial(torch.broadcast_to, size=[-1, *target[-1:], *target[:-1]]),), [given])


def mirrored(x: Tensor, dim: int, before: int, after: int, edge: bool) -> Tensor:
    """Margins that mirror the inside along a dimension, its outermost element included where `edge`."""
    skip, extent = 0 if edge else 1, x.shape[dim]
    low = x.narrow(dim, skip, before).flip(dim)
    high = x.narrow(dim, extent - skip - after, after).flip(dim)
    return torch.cat([low, x, high], dim)


def pad(x: Operand, widths: Any, mode: str = "constant", value: float | None = None) -> Layer:
    """Margins around a tensor."""
    shape = tensor(x).shape
    if isinstance(widths, int):
        widths = [[widths, widths]] * (len(shape) + 1)
    if isinstance(widths, list) and len(widths) == 1:
        widths = widths * (len(shape) + 1)
    match widths:
        case [[0, 0], *rest] if len(rest) == len(shape):
            pass
        case _:
            raise NetworkError(
                f"pads its input of {size(shape)} by {show(widths)}; give [0, 0] for the batch and [before, after] "
                "for each axis"
            )
    pairs = [[int(width) for width in pair] for pair in rest]
    mode = mode.lower()
    if mode == "constant":
        stored = [pairs[-1], *pairs[:-1]]
        while len(stored) > 1 and stored[0] == [0, 0]:
            stored = stored[1:]
        step = partial(functional.pad, pad=[width for pair in reversed(stored) for width in pair], value=value or 0.0)
        return layer((step,), [shape])
    if mode not in ("reflect", "symmetric"):
        raise NetworkError(f"unknown mode {show(mode)} of padding; use constant, reflect or symmetric")
    steps: list[Step] = []
    for axis, (before, after) in enumerate(pairs, start=1):
        if before or after:
            dim = dimension(axis, shape)
            steps.append(partial(mirrored, dim=dim, before=before, after=after, edge=mode == "symmetric"))
    return layer(tuple(steps), [shape]) if steps else Layer(shape)


def hot(x: Tensor, classes: int) -> Tensor:
    """Whether each place along a new last axis of Keras is the one that a number of a stored tensor says."""
    x = to_last(x).unsqueeze(-1)
    return to_first(x == torch.arange(classes, device=x.device))


def one_hot(x: Operand, classes: int, axis: int | None = -1, dtype: Any = None, sparse: bool = False) -> Layer:  # noqa: ARG001
    """1 at the place that each number says, else 0."""
    shape = tensor(x).shape
    if axis not in (None, -1, len(shape) + 1):
        raise NetworkError(f"puts classes along axis {axis}; only the last one can be")
    return Layer((*shape, classes), (partial(hot, classes=classes), ToFloat()))


def _triangle(function: Any) -> Build:
    def build(x: Operand, k: int = 0) -> Layer:
        shape = tensor(x).shape
        return Layer(shape, (*channels_last(shape), partial(function, diagonal=k), *channels_first(shape)))

    return build


OPERATIONS: dict[str, Build] = {
    "broadcast_to": broadcast_to,
    "dot": dot,
    "einsum": einsum,
    "flatten": flattened,
    "matmul": matmul,
    "matrix_transpose": matrix_transpose,
    "moveaxis": moveaxis,
    "one_hot": one_hot,
    "pad": pad,
    "reshape": reshape,
    "swapaxes": swapaxes,
    "tensordot": tensordot,
    "tile": tile,
    "transpose": transpose,
    "tril": _triangle(torch.tril),
    "triu": _triangle(torch.triu),
}
