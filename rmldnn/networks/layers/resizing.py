"""Images of other extents, with TensorFlow's arithmetic: half-pixel centres, and its own kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy
import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import spatial_input
from rmldnn.types import Count

Interpolation: TypeAlias = Literal[
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"
]

_STEPS_OF_TABLE = 1024
"""TensorFlow looks cubic weights up in a table of that many places between two pixels."""


@component("Resizing")
def resizing(
    shape: Shape,
    *,
    height: Count,
    width: Count,
    interpolation: Literal[
        "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"
    ] = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: Literal["constant"] = "constant",  # noqa: ARG001
    fill_value: float = 0.0,
    antialias: bool = False,
) -> Layer:
    """Images of another size.

    Args:
        shape: Keras shape of the input.
        height: Rows of the result.
        width: Columns of the result.
        interpolation: How pixels between pixels come about.
        crop_to_aspect_ratio: Whether what would be distorted is cut off before.
        pad_to_aspect_ratio: Whether margins are added before so that nothing is distorted.
        fill_mode: What the margins hold.
        fill_value: The value there.
        antialias: Whether a smaller image averages over all pixels that one of its own covers.
    """
    *_, channels = spatial_input(shape, 2)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise NetworkError("`crop_to_aspect_ratio` and `pad_to_aspect_ratio` cannot both be true; set one to false")
    keywords: dict[str, Any] = {"height": height, "width": width}
    before: tuple[Step, ...] = ()
    if crop_to_aspect_ratio:
        before = (partial(cropped_to_ratio, **keywords),)
    if pad_to_aspect_ratio:
        before = (partial(padded_to_ratio, **keywords, value=fill_value),)
    return Layer((height, width, channels), (*before, _resizing(interpolation, antialias, height, width)))


def _resizing(interpolation: Interpolation, antialias: bool, height: int, width: int) -> Callable[[Tensor], Tensor]:
    """One operation of torch where it has the same; area and nearest take no antialiasing."""
    if interpolation == "nearest":
        return partial(functional.interpolate, size=[height, width], mode="nearest-exact")
    if interpolation == "bilinear" and not antialias:
        return partial(functional.interpolate, size=[height, width], mode="bilinear", align_corners=False)
    return partial(resized, height=height, width=width, interpolation=interpolation, antialias=antialias)


@component("CenterCrop")
def center_crop(shape: Shape, *, height: Count, width: Count) -> Layer:
    """The middle of an image; of one too small, what fits after resizing.

    Args:
        shape: Keras shape of the input.
        height: Rows of the result.
        width: Columns of the result.
    """
    *_, channels = spatial_input(shape, 2)
    return Layer((height, width, channels), (partial(center_cropped, height=height, width=width),))


def center_cropped(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of images (N, C, H, W), or all that fits of images too small."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    if top >= 0 and left >= 0:
        return x[:, :, top : top + height, left : left + width]
    return fitted(x, height, width)


def fitted(x: Tensor, height: int, width: int) -> Tensor:
    """Resized without distortion; what does not fit is cut off."""
    return functional.interpolate(cropped_to_ratio(x, height, width), size=[height, width], mode="bilinear")


def cropped_to_ratio(x: Tensor, height: int, width: int) -> Tensor:
    """The largest middle part of images (N, C, H, W) with the ratio of `height` and `width`."""
    rows = max(min(x.shape[2], int(x.shape[3] * height / width)), 1)
    columns = max(min(x.shape[3], int(x.shape[2] * width / height)), 1)
    top, left = (x.shape[2] - rows) // 2, (x.shape[3] - columns) // 2
    return x[:, :, top : top + rows, left : left + columns]


def padded_to_ratio(x: Tensor, height: int, width: int, value: float) -> Tensor:
    """Images (N, C, H, W) with margins on both sides that give them the ratio of `height` and `width`."""
    top = (max(x.shape[2], int(x.shape[3] * height / width)) - x.shape[2]) // 2
    left = (max(x.shape[3], int(x.shape[2] * width / height)) - x.shape[3]) // 2
    return functional.pad(x, [left, left, top, top], value=value)


def resized(x: Tensor, height: int, width: int, interpolation: Interpolation, antialias: bool) -> Tensor:
    """Images (N, C, H, W) of another size, by one matrix for the rows and one for the columns."""
    rows = torch.from_numpy(_matrix(x.shape[2], height, interpolation, antialias)).to(x.device, x.dtype)
    columns = torch.from_numpy(_matrix(x.shape[3], width, interpolation, antialias)).to(x.device, x.dtype)
    return rows @ x @ columns.T


@functools.lru_cache(maxsize=64)
def _matrix(extent: int, target: int, interpolation: Interpolation, antialias: bool) -> Any:
    """The share of every pixel along an axis in every new one, shape (target, extent), 64 bits."""
    step = extent / target
    if interpolation == "area":
        edges = numpy.arange(target + 1) * step
        pixels = numpy.arange(extent)
        low, high = numpy.maximum(edges[:-1, None], pixels), numpy.minimum(edges[1:, None], pixels + 1)
        return numpy.clip(high - low, 0, None) / step
    # TensorFlow has places in 32 bits, which decides what lies on the edge of a kernel
    centers = (numpy.arange(target, dtype=numpy.float32) + numpy.float32(0.5)) * _step(extent, target)
    if interpolation == "bicubic" and not antialias:
        whole, between = numpy.divmod(centers - numpy.float32(0.5), numpy.float32(1))
        centers = whole + numpy.rint(between * _STEPS_OF_TABLE) / _STEPS_OF_TABLE + 0.5
    wide = max(step, 1.0) if antialias else 1.0
    middles = numpy.arange(extent) + 0.5
    weights = _KERNELS[interpolation](numpy.abs(middles - centers[:, None]) / wide)
    return weights / weights.sum(axis=1, keepdims=True)


def _step(extent: int, target: int) -> Any:
    """Pixels per new pixel, rounded as TensorFlow does."""
    return numpy.float32(1) / (numpy.float32(target) / numpy.float32(extent))


def _triangle(distance: Any) -> Any:
    return numpy.clip(1 - distance, 0, None)


def _cubic(distance: Any, b: float, c: float) -> Any:
    """Mitchell and Netravali's family of cubic kernels, 1988."""
    near = ((12 - 9 * b - 6 * c) * distance + (-18 + 12 * b + 6 * c)) * distance**2 + (6 - 2 * b)
    far = (((-b - 6 * c) * distance + (6 * b + 30 * c)) * distance + (-12 * b - 48 * c)) * distance + (8 * b + 24 * c)
    return numpy.where(distance < 1, near, numpy.where(distance < 2, far, 0.0)) / 6


def _lanczos(distance: Any, radius: float) -> Any:
    return numpy.where(distance < radius, numpy.sinc(distance) * numpy.sinc(distance / radius), 0.0)


def _gaussian(distance: Any) -> Any:
    return numpy.where(distance < 1.5, numpy.exp(-2 * distance**2), 0.0)


_KERNELS: dict[str, Callable[[Any], Any]] = {
    "bilinear": _triangle,
    "bicubic": partial(_cubic, b=0.0, c=0.5),
    "lanczos3": partial(_lanczos, radius=3.0),
    "lanczos5": partial(_lanczos, radius=5.0),
    "gaussian": _gaussian,
    "mitchellcubic": partial(_cubic, b=1 / 3, c=1 / 3),
}
"""Weight of a pixel by its distance."""
