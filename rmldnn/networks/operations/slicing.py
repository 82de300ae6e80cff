"""Parts of a tensor, in all the ways in which files write an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import EllipsisType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import channels_first, size
from rmldnn.networks.operations.axes import expansion
from rmldnn.networks.operations.operands import Build, Operand, Sizes, tensor

Part: TypeAlias = int | slice | EllipsisType | None
"""What numpy writes between brackets for one axis: None is a new one."""

WHOLE = slice(None)


def part(x: Tensor, index: tuple[int | slice, ...]) -> Tensor:
    """`x[index]`."""
    return x[index]


def getitem(x: Operand, key: Any) -> Layer:
    """A part of a tensor, by one index or a list of them."""
    if isinstance(x, Sizes):
        (one,) = (_read(entry) for entry in (key if isinstance(key, list) else [key]))
        if isinstance(one, int):
            return Layer(Sizes([x.numbers[one]], single=True))
        if isinstance(one, slice):
            return Layer(Sizes(x.numbers[one]))
        raise NetworkError(f"{show(key)} is no index of the extents of a tensor")
    shape = tensor(x).shape
    index = [_read(entry) for entry in (key if isinstance(key, list) else [key])]
    return sliced(shape, _full(index, len(shape) + 1))


def _read(entry: Any) -> Part:
    """One index as a file writes it."""
    match entry:
        case None | int() | slice():
            return entry
        case {"class_name": "__ellipsis__"} | "...":
            return ...
        case {"class_name": "__slice__", "config": {**bounds}}:
            return _read(bounds)
        case {"start": start, "stop": stop, **rest}:
            return slice(_number(start), _number(stop), _number(rest.get("step")))
        case Sizes():
            return _number(entry)
    raise NetworkError(
        f"{show(entry) if not hasattr(entry, 'shape') else 'a tensor'} is no index here; "
        "use integers, slices of integers, None and ..., or `take_along_axis`"
    )


def _number(bound: Any) -> int | None:
    if isinstance(bound, Sizes) and bound.single:
        (bound,) = bound.numbers
        if not isinstance(bound, int):
            raise NetworkError("cuts at an extent that is not known; give the input a full `batch_input_shape`")
    if bound is not None and not isinstance(bound, int):
        raise NetworkError(f"an index must be an integer, got {'a tensor' if hasattr(bound, 'shape') else show(bound)}")
    return bound


def _full(index: Sequence[Part], rank: int) -> list[int | slice | None]:
    """The index with whole axes in place of `...` and of those that are not named."""
    named = sum(entry is not None and entry is not ... for entry in index)
    if named > rank or sum(entry is ... for entry in index) > 1:
        raise NetworkError(f"{named} indices are too many for a tensor of {rank} axes, the batch included")
    rest = [WHOLE] * (rank - named)
    full: list[int | slice | None] = []
    for entry in index if any(entry is ... for entry in index) else [*index, ...]:
        full += rest if isinstance(entry, EllipsisType) else [entry]
    return full


def sliced(shape: Shape, index: Sequence[int | slice | None]) -> Layer:
    """A part of a tensor.

    Args:
        shape: Keras shape of the tensor.
        index: One entry for each axis in Keras' order, the batch included, and None for each new axis.
    """
    batch, *own = (entry for entry in index if entry is not None)
    if (
        index[0] is None
        or not isinstance(batch, slice)
        or (batch.start or 0, batch.stop, batch.step or 1) != (0, None, 1)
    ):
        raise NetworkError("cuts or moves the first axis, the batch; leave it alone: its index must be `:`")
    kept: list[int | None] = []
    flipped: list[int] = []
    parts: list[int | slice] = []
    for axis, (entry, extent) in enumerate(zip(own, shape, strict=True), start=1):
        if isinstance(entry, slice):
            bounds, left = _bounds(entry, extent)
            kept.append(left)
            if (entry.step or 1) < 0:
                flipped.append(1 if axis == len(shape) else axis + 1)
            parts.append(bounds)
        else:
            if extent is not None and not -extent <= entry < extent:
                raise NetworkError(f"index {entry} is beyond axis {axis} of its input of {size(shape)}")
            parts.append(entry)
    result: Shape = tuple(kept)
    steps: list[Step] = [partial(torch.flip, dims=flipped)] if flipped else []
    if any(one != WHOLE for one in parts):
        steps.append(partial(part, index=(WHOLE, parts[-1], *parts[:-1])))
        if isinstance(parts[-1], int):
            steps += channels_first(result)
    place = 0
    for one in index:
        if one is None:
            steps += expansion(result, place)
            result = (*result[: place - 1], 1, *result[place - 1 :])
        place += not isinstance(one, int)
    return Layer(result, tuple(steps))


def _bounds(entry: slice, extent: int | None) -> tuple[slice, int | None]:
    """The slice to take, after a turn where its step is negative, and how much of the axis it leaves."""
    if entry.step == 0:
        raise NetworkError("the step of a slice must not be 0")
    left = None
    if extent is not None or entry == WHOLE:
        left = extent if extent is None else len(range(*entry.indices(extent)))
    if left == 0:
        raise NetworkError(f"the slice {entry.start}:{entry.stop}:{entry.step} of an axis of {extent} is empty")
    if (entry.step or 1) > 0:
        return entry, left
    start, stop = (None if bound is None else -1 - bound for bound in (entry.start, entry.stop))
    step = -entry.step if entry.step != -1 else None
    return slice(start, stop, step), left


def slice_of(x: Operand, begin: list[Any], size: list[Any]) -> Layer:
    """A part by where it begins and how long it is, -1 for all the rest."""
    index = [
        {"start": start, "stop": None if length == -1 else _number(start) + _number(length)}  # type: ignore[operator]
        for start, length in zip(begin, size, strict=True)
    ]
    return getitem(x, index)


def strided_slice(
    x: Operand,
    begin: list[Any],
    end: list[Any],
    strides: list[Any] | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Layer:
    """A part by lists of bounds; bit `i` of a mask says that entry `i` lacks that bound or is of another kind."""
    index: list[Any] = []
    for bit, (start, stop, step) in enumerate(zip(begin, end, strides or [1] * len(begin), strict=True)):
        if ellipsis_mask >> bit & 1:
            index.append({"class_name": "__ellipsis__"})
        elif new_axis_mask >> bit & 1:
            index.append(None)
        elif shrink_axis_mask >> bit & 1:
            index.append(start)
        else:
            bounds: Mapping[str, Any] = {
                "start": None if begin_mask >> bit & 1 else start,
                "stop": None if end_mask >> bit & 1 else stop,
                "step": step,
            }
            index.append(bounds)
    return getitem(x, index)


OPERATIONS: dict[str, Build] = {"getitem": getitem, "slice": slice_of, "strided_slice": strided_slice}
