"""Pooling: the largest or the mean of a window, or of all places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.component import component
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layers.convolution import spatial_input
from rmldnn.networks.windows import Window, per_axis, same_sides
from rmldnn.types import Count

_MAX: dict[int, tuple[Any, Any]] = {
    1: (nn.MaxPool1d, functional.max_pool1d),
    2: (nn.MaxPool2d, functional.max_pool2d),
    3: (nn.MaxPool3d, functional.max_pool3d),
}
# what is padded counts for nothing in Keras' mean
_AVERAGE: dict[int, tuple[Any, Any]] = {
    1: (partial(nn.AvgPool1d, count_include_pad=False), partial(functional.avg_pool1d, count_include_pad=False)),
    2: (partial(nn.AvgPool2d, count_include_pad=False), partial(functional.avg_pool2d, count_include_pad=False)),
    3: (partial(nn.AvgPool3d, count_include_pad=False), partial(functional.avg_pool3d, count_include_pad=False)),
}


@component("MaxPooling1D")
def max_pooling1d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The largest of every window of a sequence; keys as in `max_pooling2d`."""
    return _pooling(_MAX, 1, shape, pool_size, strides, padding)


@component("MaxPooling2D")
def max_pooling2d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The largest of every window of an image.

    Args:
        shape: Keras shape of the input.
        pool_size: Extent of the window, one number or one per axis.
        strides: Steps of the window; its extent if not given.
        padding: `valid` (windows that fit), or `same` (as many as strides fit into the input).
    """
    return _pooling(_MAX, 2, shape, pool_size, strides, padding)


@component("MaxPooling3D")
def max_pooling3d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The largest of every window of a volume; keys as in `max_pooling2d`."""
    return _pooling(_MAX, 3, shape, pool_size, strides, padding)


@component("AveragePooling1D")
def average_pooling1d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The mean of every window of a sequence; keys as in `max_pooling2d`."""
    return _pooling(_AVERAGE, 1, shape, pool_size, strides, padding)


@component("AveragePooling2D")
def average_pooling2d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The mean of every window of an image; keys as in `max_pooling2d`."""
    return _pooling(_AVERAGE, 2, shape, pool_size, strides, padding)


@component("AveragePooling3D")
def average_pooling3d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: Literal["valid", "same"] = "valid",
) -> Layer:
    """The mean of every window of a volume; keys as in `max_pooling2d`."""
    return _pooling(_AVERAGE, 3, shape, pool_size, strides, padding)


def _pooling(
    kinds: dict[int, tuple[Any, Any]],
    axes: int,
    shape: Shape,
    pool_size: int | list[int],
    strides: int | list[int] | None,
    padding: str,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    extent = per_axis(pool_size, axes, "pool_size")
    stride = extent if strides is None else per_axis(strides, axes, "strides")
    window = Window(extent, stride, (1,) * axes)
    module, function = kinds[axes]
    if padding == "valid":
        none = ((0, 0),) * axes
        window.must_fit(tuple(spatial), none, "pool_size")
        return Layer((*window.counts(tuple(spatial), none), channels), (module(extent, stride),))
    result = (*window.same_counts(tuple(spatial)), channels)
    sides = window.same(tuple(spatial))
    step: Step = partial(pool_same, pool=function, extent=extent, stride=stride)
    if sides is not None and all(low == high for low, high in sides):
        step = module(extent, stride, tuple(low for low, _ in sides))
    return Layer(result, (step,))


def pool_same(x: Tensor, pool: Callable[..., Tensor], extent: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pools with Keras' `same` padding, however uneven, without copying the input.

    Args:
        x: Shape (N, C, *spatial).
        pool: A pooling function of torch in which padding counts for nothing.
        extent: Extent of the window, per axis.
        stride: Its steps.
    """
    sides = [same_sides(*axis) for axis in zip(x.shape[2:], extent, stride, strict=True)]
    # `ceil_mode` adds the last, cut window where the stride is above 1. With a stride of 1 it never does: there the
    # larger padding goes on both sides, and the first window, one too far out, is left away.
    extra = [high - low if step == 1 else 0 for (low, high), step in zip(sides, stride, strict=True)]
    padding = [low + more for (low, _), more in zip(sides, extra, strict=True)]
    y = pool(x, extent, stride, padding, ceil_mode=True)
    for dim, more in enumerate(extra, start=2):
        y = y.narrow(dim, more, y.shape[dim] - more) if more else y
    return y


@component("GlobalAveragePooling1D")
def global_average_pooling1d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The mean of a sequence; `keepdims` keeps its axis with extent 1."""
    return _over_all(torch.mean, 1, shape, keepdims)


@component("GlobalAveragePooling2D")
def global_average_pooling2d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The mean of an image; `keepdims` keeps its axes with extent 1."""
    return _over_all(torch.mean, 2, shape, keepdims)


@component("GlobalAveragePooling3D")
def global_average_pooling3d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The mean of a volume; `keepdims` keeps its axes with extent 1."""
    return _over_all(torch.mean, 3, shape, keepdims)


@component("GlobalMaxPooling1D")
def global_max_pooling1d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The largest of a sequence; `keepdims` keeps its axis with extent 1."""
    return _over_all(torch.amax, 1, shape, keepdims)


@component("GlobalMaxPooling2D")
def global_max_pooling2d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The largest of an image; `keepdims` keeps its axes with extent 1."""
    return _over_all(torch.amax, 2, shape, keepdims)


@component("GlobalMaxPooling3D")
def global_max_pooling3d(shape: Shape, *, keepdims: bool = False) -> Layer:
    """The largest of a volume; `keepdims` keeps its axes with extent 1."""
    return _over_all(torch.amax, 3, shape, keepdims)


def _over_all(reduction: Callable[..., Tensor], axes: int, shape: Shape, keepdims: bool) -> Layer:
    *_, channels = spatial_input(shape, axes)
    step = partial(reduction, dim=list(range(2, 2 + axes)), keepdim=keepdims)
    return Layer((*((1,) * axes if keepdims else ()), channels), (step,))
