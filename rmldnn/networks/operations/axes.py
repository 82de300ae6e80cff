"""Along named axes: reductions, and what keeps, cuts, adds or joins axes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layers.merge import concatenate as concatenated
from rmldnn.networks.layout import CHANNELS, channels_first, channels_last, dimension, size
from rmldnn.networks.operations.operands import (
    Build,
    Given,
    Operand,
    Sizes,
    all_to_first,
    applied,
    layer,
    numbers,
    tensor,
    to_first,
    to_last,
)

Axis: TypeAlias = Any
"""An integer, a list of them, or None, as the file writes it."""


def dimensions(axis: Axis, shape: Shape, key: str = "axis") -> list[int]:
    """The dimensions of a stored tensor that Keras axes mean."""
    axes: list[Any] = axis if isinstance(axis, list) else [axis]
    if not axes or any(not isinstance(one, int) or one in (0, -len(shape) - 1) for one in axes):
        raise NetworkError(
            f"{key} {show(axis)} of its input of {size(shape)} takes in the batch, so that samples would mix; "
            f"name the other axes: {list(range(1, len(shape) + 1))}"
        )
    return [dimension(one, shape, key) for one in axes]


def along(axis: Axis, shape: Shape, key: str = "axis") -> int:
    """The dimension of a stored tensor that one Keras axis means."""
    if isinstance(axis, list) and len(axis) != 1:
        raise NetworkError(f"{key} {show(axis)} must be one axis")
    (found,) = dimensions(axis, shape, key)
    return found


def position(axis: Any, rank: int) -> int:
    """Keras' number, counted from the first, of an axis that is to be added; `rank` counts it and the batch."""
    if not isinstance(axis, int) or not -rank < axis < rank or axis in (0, -rank):
        raise NetworkError(f"axis {show(axis)} takes the place of the batch or is none; use -1, or 1 to {rank - 1}")
    return axis % rank


def _reduction(function: Callable[..., Any], *, single: bool = False, results: int = 1, **settings: Any) -> Build:
    """The implementation of a reduction.

    Args:
        function: Takes a tensor, `dim` and `keepdim`.
        single: Whether `dim` is one number.
        results: How many tensors it gives.
        settings: Further arguments.
    """

    def build(x: Operand, axis: Axis = None, keepdims: bool = False) -> Layer:
        shape = tensor(x).shape
        dims = dimensions(axis, shape)
        if single and len(dims) > 1:
            raise NetworkError(f"axis {show(axis)} must be one axis")
        step = partial(function, dim=dims[0] if single else dims, keepdim=bool(keepdims), **settings)
        result = _reduced(shape, dims, bool(keepdims))
        after: tuple[Step, ...] = ()
        if CHANNELS in dims and not keepdims:  # what is left is in Keras' order
            after = channels_first(result)
            after = (all_to_first,) if results > 1 and after else after
        return Layer(result, (step, *after), others=(result,) * (results - 1))

    return build


def _reduced(shape: Shape, dims: Sequence[int], keepdims: bool) -> Shape:
    gone = [(len(shape) if dim == CHANNELS else dim - 1) for dim in dims]
    if keepdims:
        return tuple(1 if axis in gone else extent for axis, extent in enumerate(shape, start=1))
    return tuple(extent for axis, extent in enumerate(shape, start=1) if axis not in gone)


def product(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    """The product along several dimensions; torch takes one."""
    for one in sorted(dim, reverse=True):
        x = torch.prod(x, one, keepdim)
    return x


def moments(x: Tensor, dim: list[int], keepdim: bool) -> tuple[Tensor, Tensor]:
    """Mean and biased variance."""
    variance, mean = torch.var_mean(x, dim, correction=0, keepdim=keepdim)
    return mean, variance


def count_nonzero(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    """How many numbers are other than 0."""
    return torch.sum(x != 0, dim, keepdim)


def spread(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    """The largest minus the smallest."""
    return torch.amax(x, dim, keepdim) - torch.amin(x, dim, keepdim)


_ORDERS: dict[Any, float] = {"euclidean": 2.0, "fro": 2.0, "inf": float("inf"), None: 2.0}


def norm(x: Operand, order: Any = None, axis: Axis = None, keepdims: bool = False) -> Layer:
    """A norm of vectors along one axis; the euclidean one along several, too."""
    order = _ORDERS.get(order, order)
    if not isinstance(order, int | float) or (isinstance(axis, list) and len(axis) > 1 and order != 2):
        raise NetworkError(f"computes the norm {show(order)} along axis {show(axis)}; use `euclidean`, or one axis")
    return _reduction(torch.linalg.vector_norm, ord=float(order))(x, axis, keepdims)


def maximum(x: Operand, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Layer:
    """The largest along axes, at least `initial`."""
    made = _reduction(torch.amax)(x, axis, keepdims)
    return made if initial is None else Layer(made.shape, (*made.steps, partial(torch.clamp, min=initial)))


def minimum(x: Operand, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Layer:
    """The smallest along axes, at most `initial`."""
    made = _reduction(torch.amin)(x, axis, keepdims)
    return made if initial is None else Layer(made.shape, (*made.steps, partial(torch.clamp, max=initial)))


def average(x: Operand, axis: Axis = None, weights: Any = None) -> Layer:
    """The mean along axes."""
    if weights is not None:
        raise NetworkError("`weights` are not taken; multiply by them before")
    return _reduction(torch.mean)(x, axis)


def _softmax(name: str, function: Callable[..., Tensor]) -> Build:
    def build(x: Operand, axis: int | None = -1) -> Layer:
        shape = tensor(x).shape
        dim = along(axis, shape)
        step = partial(function, dim=dim)
        return Layer(shape, activation=activations.find(name)) if dim == CHANNELS else Layer(shape, (step,))

    return build


def unit(x: Tensor, dim: list[int], epsilon: float) -> Tensor:
    """Divided by the euclidean norm, whose square counts as `epsilon` at least."""
    return x * torch.rsqrt(torch.clamp(torch.sum(torch.square(x), dim, True), min=epsilon))


def unit_of(x: Tensor, dim: list[int], order: float, epsilon: float) -> Tensor:
    """Divided by a norm, which counts as `epsilon` at least."""
    return x / torch.clamp(torch.linalg.vector_norm(x, order, dim, True), min=epsilon)


def with_norm(x: Tensor, dim: list[int], order: float) -> tuple[Tensor, Tensor]:
    """Divided by a norm, and the norm."""
    length = torch.linalg.vector_norm(x, order, dim, True)
    return x / length, length


def l2_normalize(x: Operand, axis: Axis = None, epsilon: float = 1e-12) -> Layer:
    """Vectors of length 1."""
    shape = tensor(x).shape
    return Layer(shape, (partial(unit, dim=dimensions(axis, shape), epsilon=epsilon),))


def normalize(x: Operand, axis: Axis = -1, order: int = 2, epsilon: float | None = None) -> Layer:
    """Vectors of norm 1, as Keras 3 does it."""
    shape = tensor(x).shape
    epsilon = 1e-7 if epsilon is None else epsilon
    step = partial(unit_of, dim=dimensions(axis, shape), order=float(order), epsilon=epsilon)
    return Layer(shape, (step,))


def normalize_with_norm(x: Operand, order: Any = None, axis: Axis = None) -> Layer:
    """Vectors of norm 1, and the norms, as `tf.linalg.normalize` does it."""
    shape = tensor(x).shape
    dims = dimensions(axis, shape)
    step = partial(with_norm, dim=dims, order=float(_ORDERS.get(order, order)))
    return Layer(shape, (step,), others=(_reduced(shape, dims, True),))


def local_response_normalization(
    x: Operand, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5
) -> Layer:
    """Divided by a power of the sum of squares of neighbouring channels; torch takes their mean."""
    width = 2 * depth_radius + 1
    step = partial(functional.local_response_norm, size=width, alpha=alpha * width, beta=beta, k=bias)
    return Layer(tensor(x).shape, (step,))


def cumulative(x: Tensor, dim: int, function: str, exclusive: bool, reverse: bool) -> Tensor:
    """Sums or products of all numbers up to each along a dimension, itself excluded where `exclusive`."""
    x = torch.flip(x, [dim]) if reverse else x
    if exclusive:
        first = torch.full_like(x.narrow(dim, 0, 1), 1.0 if function == "cumprod" else 0.0)
        x = torch.cat([first, x.narrow(dim, 0, x.shape[dim] - 1)], dim)
    x = torch.cumprod(x, dim) if function == "cumprod" else torch.cumsum(x, dim)
    return torch.flip(x, [dim]) if reverse else x


def _cumulative(function: str) -> Build:
    def build(x: Operand, axis: int | None = None, exclusive: bool = False, reverse: bool = False) -> Layer:
        shape = tensor(x).shape
        dim = along(axis, shape)
        if not exclusive and not reverse:
            return Layer(shape, (partial(getattr(torch, function), dim=dim),))
        return Layer(shape, (partial(cumulative, dim=dim, function=function, exclusive=exclusive, reverse=reverse),))

    return build


def in_order(x: Tensor, dim: int, descending: bool) -> Tensor:
    """Sorted along a dimension."""
    return torch.sort(x, dim, descending).values


def _sorting(function: Callable[..., Tensor], **settings: Any) -> Build:
    def build(x: Operand, axis: int | None = -1, direction: str = "ASCENDING", stable: bool = False) -> Layer:  # noqa: ARG001
        shape = tensor(x).shape
        descending = direction.upper() == "DESCENDING"
        return Layer(shape, (partial(function, dim=along(axis, shape), descending=descending, **settings),))

    return build


def top_k(x: Operand, k: int = 1, sorted: bool = True) -> Layer:  # noqa: A002, ARG001 - Keras' name; sorted is right in either case
    """The largest numbers along the channels, and their places."""
    shape = tensor(x).shape
    if not shape or (shape[-1] is not None and k > shape[-1]):
        raise NetworkError(f"`k` {k} is more than its input of {size(shape)} has channels")
    result = (*shape[:-1], k)
    return Layer(result, (partial(torch.topk, k=k, dim=CHANNELS),), others=(result,))


def flip(x: Operand, axis: Axis = None) -> Layer:
    """Backwards along axes."""
    shape = tensor(x).shape
    return Layer(shape, (partial(torch.flip, dims=dimensions(axis, shape)),))


def roll(x: Operand, shift: int | list[int], axis: Axis = None) -> Layer:
    """Shifted along axes, the last becoming the first."""
    shape = tensor(x).shape
    shifts = shift if isinstance(shift, list) else [shift]
    return Layer(shape, (partial(torch.roll, shifts=shifts, dims=dimensions(axis, shape)),))


def glu(x: Operand, axis: int = -1) -> Layer:
    """The first half times the sigmoid of the second."""
    shape = tensor(x).shape
    return layer((partial(functional.glu, dim=along(axis, shape)),), [shape])


def diff(x: Operand, n: int = 1, axis: int = -1) -> Layer:
    """Differences of neighbours."""
    shape = tensor(x).shape
    return layer((partial(torch.diff, n=n, dim=along(axis, shape)),), [shape])


def repeat(x: Operand, repeats: int | list[int], axis: int | None = None) -> Layer:
    """Every element several times in a row."""
    shape = tensor(x).shape
    dim = along(axis, shape)
    if isinstance(repeats, list) and len(repeats) == 1:
        (repeats,) = repeats
    if isinstance(repeats, int):
        return layer((partial(torch.repeat_interleave, repeats=repeats, dim=dim),), [shape])
    extent = _extent(shape, dim)
    if extent != len(repeats):
        raise NetworkError(f"`repeats` holds {len(repeats)} numbers for an axis of {extent}; give one for each element")
    return take(x, [index for index, count in enumerate(repeats) for _ in range(count)], axis)


def taken(x: Tensor, index: Tensor, dim: int) -> Tensor:
    """Elements along a dimension by their numbers, of which negative ones count from the end."""
    return torch.index_select(x, dim, torch.where(index < 0, index + x.shape[dim], index))


def taken_along(x: Tensor, index: Tensor, dim: int) -> Tensor:
    """Elements along a dimension, other ones at every place."""
    return torch.take_along_dim(x, torch.where(index < 0, index + x.shape[dim], index).long(), dim)


def take(x: Operand, indices: Any, axis: int | None = None, batch_dims: int = 0) -> Layer:
    """Elements along an axis by their numbers."""
    if isinstance(x, Sizes):
        chosen = [x.numbers[one] for one in (indices if isinstance(indices, list) else [indices])]
        return Layer(Sizes(chosen, single=not isinstance(indices, list)))
    shape = tensor(x).shape
    dim = along(axis, shape)
    if isinstance(indices, Given) or (isinstance(indices, list) and any(isinstance(one, list) for one in indices)):
        raise NetworkError("takes elements by a tensor or a table of numbers; use `take_along_axis`, or an Embedding")
    if batch_dims:
        raise NetworkError(f"`batch_dims` {batch_dims} must be 0")
    extent = _extent(shape, dim)
    places = indices if isinstance(indices, list) else [indices]
    if any(not isinstance(one, int) or (extent is not None and not -extent <= one < extent) for one in places):
        raise NetworkError(f"{show(indices)} names elements that an axis of {size((extent,))} does not have")
    if isinstance(indices, list):
        return applied(partial(taken, dim=dim), [x, indices], alike=False)
    return layer((partial(torch.select, dim=dim, index=indices), *after_removal(shape, [dim])), [shape])


def take_along_axis(x: Operand, indices: Operand, axis: int | None = None) -> Layer:
    """Elements along an axis, other ones at every place."""
    return applied(partial(taken_along, dim=along(axis, tensor(x).shape)), [x, indices], alike=False)


def after_removal(shape: Shape, dims: Sequence[int]) -> tuple[Step, ...]:
    """What brings a tensor back to channels first after dimensions of it are gone."""
    return channels_first(_reduced(shape, dims, False)) if CHANNELS in dims else ()


def expand_dims(x: Operand, axis: Axis = None) -> Layer:
    """More axes, of extent 1."""
    if isinstance(x, Sizes):
        return Layer(Sizes(x.numbers))
    shape = tensor(x).shape
    steps: tuple[Step, ...] = ()
    axes = axis if isinstance(axis, list) else [axis]
    for place in sorted(position(one, len(shape) + 1 + len(axes)) for one in axes):
        steps, shape = (*steps, *expansion(shape, place)), (*shape[: place - 1], 1, *shape[place - 1 :])
    return Layer(shape, steps)


def expansion(shape: Shape, place: int) -> tuple[Step, ...]:
    """The steps that add an axis at Keras' place `place`."""
    if place <= len(shape):
        return (partial(torch.unsqueeze, dim=place + 1 if shape else 1),)
    return (*channels_last(shape), partial(torch.unsqueeze, dim=1))


def squeeze(x: Operand, axis: Axis = None) -> Layer:
    """Without axes of extent 1."""
    if isinstance(x, Sizes):
        return Layer(Sizes(x.numbers, single=True))
    shape = tensor(x).shape
    if axis is None or axis == []:
        axis = [place for place, extent in enumerate(shape, start=1) if extent == 1]
    dims = dimensions(axis, shape) if axis else []
    if any(_extent(shape, dim) not in (1, None) for dim in dims):
        raise NetworkError(f"axis {show(axis)} of its input of {size(shape)} is not of extent 1; change `axis`")
    steps = (partial(torch.squeeze, dim=dims),) if dims else ()
    return Layer(_reduced(shape, dims, False), (*steps, *after_removal(shape, dims)))


def _extent(shape: Shape, dim: int) -> int | None:
    return shape[-1] if dim == CHANNELS else shape[dim - 2]


def concatenate(x: list[Operand], axis: int = -1) -> Layer:
    """Tensors one behind the other."""
    if all(isinstance(one, Sizes | list) for one in x):
        return Layer(Sizes(list(itertools.chain.from_iterable(map(numbers, x)))))
    tensors = [tensor(one, "each part") for one in x]
    along(axis, tensors[0].shape)
    return concatenated([one.shape for one in tensors], axis=axis)


def join_rows(x: list[Operand]) -> Layer:
    """Tensors one behind the other along the first axis after the batch."""
    return concatenate(x, 1)


def append(x: Operand, y: Operand, axis: int | None = None) -> Layer:
    """Two tensors one behind the other."""
    if axis is None:
        raise NetworkError("joins two tensors without `axis`, so that samples would mix; name one")
    return concatenate([x, y], axis)


def stacked(*tensors: Tensor, dim: int) -> Tensor:
    """Stored tensors side by side along a new axis of Keras."""
    return to_first(torch.stack([to_last(one) for one in tensors], dim))


def stack(x: list[Operand], axis: int = 0) -> Layer:
    """Tensors side by side along a new axis."""
    if any(isinstance(one, Sizes) for one in x) and all(isinstance(one, Sizes | int) for one in x):
        return Layer(Sizes([numbers(one)[0] for one in x]))
    tensors = [tensor(one, "each part") for one in x]
    if len({one.rank for one in tensors}) > 1:
        raise NetworkError(f"cannot stack tensors of {' and '.join(size(one.shape) for one in tensors)}")
    place = position(axis, tensors[0].rank + 1)
    return applied(partial(stacked, dim=place), list(x), aligned=True)


def unstack(x: Operand, num: int | None = None, axis: int = 0) -> Layer:
    """Every element along an axis by itself."""
    shape = tensor(x).shape
    dim = along(axis, shape)
    if _extent(shape, dim) is None and num is None:
        raise NetworkError(
            f"axis {axis} of its input of {size(shape)} has no fixed extent; give the input a full shape"
        )
    after = (all_to_first,) if after_removal(shape, [dim]) else ()
    return layer((partial(torch.unbind, dim=dim), *after), [shape])


def split(x: Operand, parts: int | list[int], axis: int = 0) -> Layer:
    """Parts along an axis: so many of equal length, or of these lengths, of which one may be -1."""
    shape = tensor(x).shape
    dim = along(axis, shape)
    extent = _extent(shape, dim)
    if isinstance(parts, int):
        if extent is None:
            return layer((partial(torch.tensor_split, sections=parts, dim=dim),), [shape])
        if parts < 1 or extent % parts:
            raise NetworkError(f"axis {axis} of its input of {size(shape)} cannot be cut into {parts} equal parts")
        return layer((partial(torch.split, split_size_or_sections=extent // parts, dim=dim),), [shape])
    if -1 in parts and extent is not None:
        parts = [extent - sum(parts) - 1 if one == -1 else one for one in parts]
    if extent is None or sum(parts) != extent or min(parts) < 1:
        raise NetworkError(f"axis {axis} of its input of {size(shape)} cannot be cut into parts of {show(parts)}")
    return layer((partial(torch.split, split_size_or_sections=parts, dim=dim),), [shape])


def split_at(x: Operand, parts: int | list[int], axis: int = 0) -> Layer:
    """Parts along an axis: so many of equal length, or cut at these places."""
    if isinstance(parts, int):
        return split(x, parts, axis)
    extent = _extent(tensor(x).shape, along(axis, tensor(x).shape))
    if extent is None:
        raise NetworkError("cuts an axis without a fixed extent; give the input a full shape")
    places = [0, *(min(one % extent if one < 0 else one, extent) for one in parts), extent]
    return split(x, [end - start for start, end in itertools.pairwise(places)], axis)


def array_split(x: Operand, parts: int, axis: int = 0) -> Layer:
    """Parts of nearly equal length."""
    shape = tensor(x).shape
    return layer((partial(torch.tensor_split, sections=parts, dim=along(axis, shape)),), [shape])


OPERATIONS: dict[str, Build] = {
    "all": _reduction(torch.all),
    "any": _reduction(torch.any),
    "append": append,
    "argmax": _reduction(torch.argmax, single=True),
    "argmin": _reduction(torch.argmin, single=True),
    "argsort": _sorting(torch.argsort, stable=True),
    "array_split": array_split,
    "average": average,
    "concatenate": concatenate,
    "count_nonzero": _reduction(count_nonzero),
    "cumprod": _cumulative("cumprod"),
    "cumsum": _cumulative("cumsum"),
    "diff": diff,
    "expand_dims": expand_dims,
    "flip": flip,
    "glu": glu,
    "join_rows": join_rows,
    "l2_normalize": l2_normalize,
    "local_response_normalization": local_response_normalization,
    "log_softmax": _softmax("log_softmax", torch.log_softmax),
    "logsumexp": _reduction(torch.logsumexp),
    "max": maximum,
    "mean": _reduction(torch.mean),
    "min": minimum,
    "moments": _reduction(moments, results=2),
    "norm": norm,
    "normalize": normalize,
    "normalize_with_norm": normalize_with_norm,
    "prod": _reduction(product),
    "ptp": _reduction(spread),
    "repeat": repeat,
    "roll": roll,
    "softmax": _softmax("softmax", torch.softmax),
    "sort": _sorting(in_order),
    "split": split,
    "split_at": split_at,
    "squeeze": squeeze,
    "stack": stack,
    "std": _reduction(torch.std, correction=0),
    "sum": _reduction(torch.sum),
    "take": take,
    "take_along_axis": take_along_axis,
    "top_k": top_k,
    "unstack": unstack,
    "var": _reduction(torch.var, correction=0),
}
