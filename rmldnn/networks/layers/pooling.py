"""Pooling: the largest or the mean of a window, or of all places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.component import component
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.windows import Window, flat, padding_word, per_axis, same_sides
from rmldnn.types import Count


@component("MaxPooling1D")
def max_pooling1d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The largest of every window of a sequence; keys as in `max_pooling2d`."""
    return _pooling(nn.MaxPool1d, max_pool_same, 1, shape, pool_size, strides, padding)


@component("MaxPooling2D")
def max_pooling2d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The largest of every window of an image.

    Args:
        shape: Keras shape of the input.
        pool_size: Extent of the window, one number or one per axis.
        strides: Steps of the window; its extent if not given.
        padding: `valid` (windows that fit), or `same` (as many as strides fit into the input), in letters of any case.
    """
    return _pooling(nn.MaxPool2d, max_pool_same, 2, shape, pool_size, strides, padding)


@component("MaxPooling3D")
def max_pooling3d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The largest of every window of a volume; keys as in `max_pooling2d`."""
    return _pooling(nn.MaxPool3d, max_pool_same, 3, shape, pool_size, strides, padding)


@component("AveragePooling1D")
def average_pooling1d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The mean of every window of a sequence; keys as in `max_pooling2d`."""
    return _pooling(_MEAN[1], average_pool_same, 1, shape, pool_size, strides, padding)


@component("AveragePooling2D")
def average_pooling2d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The mean of every window of an image; keys as in `max_pooling2d`."""
    return _pooling(_MEAN[2], average_pool_same, 2, shape, pool_size, strides, padding)


@component("AveragePooling3D")
def average_pooling3d(
    shape: Shape,
    *,
    pool_size: Count | list[Count] = 2,
    strides: Count | list[Count] | None = None,
    padding: str = "valid",
) -> Layer:
    """The mean of every window of a volume; keys as in `max_pooling2d`."""
    return _pooling(_MEAN[3], average_pool_same, 3, shape, pool_size, strides, padding)


# what is padded counts for nothing in Keras' mean
_MEAN: dict[int, Callable[..., nn.Module]] = {
    1: partial(nn.AvgPool1d, count_include_pad=False),
    2: partial(nn.AvgPool2d, count_include_pad=False),
    3: partial(nn.AvgPool3d, count_include_pad=False),
}


def _pooling(
    module: Callable[..., nn.Module],
    function: Callable[..., Tensor],
    axes: int,
    shape: Shape,
    pool_size: int | list[int],
    strides: int | list[int] | None,
    padding: str,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes, any_channels=True)
    extent = per_axis(pool_size, axes, "pool_size")
    stride = extent if strides is None else per_axis(strides, axes, "strides")
    window = Window(extent, stride, (1,) * axes)
    if padding_word(padding) == "valid":
        none = ((0, 0),) * axes
        window.must_fit(tuple(spatial), none, "pool_size")
        return Layer((*window.counts(tuple(spatial), none), channels), (module(extent, stride),))
    sides = window.same(tuple(spatial))
    step: Step = partial(function, extent=extent, stride=stride)
    roomy = all(n is not None and n >= size for n, size in zip(spatial, extent, strict=True))
    if sides is not None and all(low == high for low, high in sides) and (roomy or function is max_pool_same):
        step = module(extent, stride, tuple(low for low, _ in sides))
    return Layer((*window.same_counts(tuple(spatial)), channels), (step,))


def max_pool_same(x: Tensor, extent: Sequence[int], stride: Sequence[int]) -> Tensor:
    """The largest of every window under Keras' `same` padding; `x` has the shape (N, C, *spatial)."""
    pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[len(extent) - 1]
    return _pool_same(x, extent, stride, pool)


def average_pool_same(x: Tensor, extent: Sequence[int], stride: Sequence[int]) -> Tensor:
    """The mean of every window under Keras' `same` padding; `x` has the shape (N, C, *spatial)."""
    means = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    pool: Callable[..., Tensor] = means[len(extent) - 1]
    if any(n < size for n, size in zip(x.shape[2:], extent, strict=True)):  # which avg_pool3d refuses, however padded
        sides = [same_sides(*axis) for axis in zip(x.shape[2:], extent, stride, strict=True)]
        padding = flat(sides)
        shares = pool(functional.pad(torch.ones_like(x[:1, :1]), padding), extent, stride)
        return pool(functional.pad(x, padding), extent, stride) / shares
    return _pool_same(x, extent, stride, partial(pool, count_include_pad=False))


def _pool_same(x: Tensor, extent: Sequence[int], stride: Sequence[int], pool: Callable[..., Tensor]) -> Tensor:
    """Pools with uneven padding without copying the input.

    `ceil_mode` adds the last, cut window where the stride is above 1. With a stride of 1 it never does: there the
    larger padding goes on both sides, and the first window, one too far out, is left away.
    """
    sides = [same_sides(*axis) for axis in zip(x.shape[2:], extent, stride, strict=True)]
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
    *_, channels = spatial_input(shape, axes, any_channels=True)
    step = partial(reduction, dim=list(range(2, 2 + axes)), keepdim=keepdims)
    return Layer((*((1,) * axes if keepdims else ()), channels), (step,))


@component("AdaptiveAveragePooling1D")
def adaptive_average_pooling1d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The mean of each of `output_size` parts of a sequence; keys as in `adaptive_average_pooling2d`."""
    return _adaptive(nn.AdaptiveAvgPool1d, 1, shape, output_size)


@component("AdaptiveAveragePooling2D")
def adaptive_average_pooling2d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The mean of each of equal parts of an image.

    Args:
        shape: Keras shape of the input.
        output_size: Number of parts, one number or one per axis. Parts overlap where it divides no extent.
    """
    return _adaptive(nn.AdaptiveAvgPool2d, 2, shape, output_size)


@component("AdaptiveAveragePooling3D")
def adaptive_average_pooling3d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The mean of each of equal parts of a volume; keys as in `adaptive_average_pooling2d`."""
    return _adaptive(nn.AdaptiveAvgPool3d, 3, shape, output_size)


@component("AdaptiveMaxPooling1D")
def adaptive_max_pooling1d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The largest of each of `output_size` parts of a sequence; keys as in `adaptive_average_pooling2d`."""
    return _adaptive(nn.AdaptiveMaxPool1d, 1, shape, output_size)


@component("AdaptiveMaxPooling2D")
def adaptive_max_pooling2d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The largest of each of equal parts of an image; keys as in `adaptive_average_pooling2d`."""
    return _adaptive(nn.AdaptiveMaxPool2d, 2, shape, output_size)


@component("AdaptiveMaxPooling3D")
def adaptive_max_pooling3d(shape: Shape, *, output_size: Count | list[Count]) -> Layer:
    """The largest of each of equal parts of a volume; keys as in `adaptive_average_pooling2d`."""
    return _adaptive(nn.AdaptiveMaxPool3d, 3, shape, output_size)


def _adaptive(module: Callable[..., nn.Module], axes: int, shape: Shape, output_size: int | list[int]) -> Layer:
    *_, channels = spatial_input(shape, axes, any_channels=True)
    parts = per_axis(output_size, axes, "output_size")
    return Layer((*parts, channels), (module(parts if axes > 1 else parts[0]),))
