"""Upsampling: more places along the spatial axes, by whole factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional

from rmldnn.component import component, near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layers.resizing import resized
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.windows import per_axis
from rmldnn.types import Count

_INTERPOLATIONS = (
    "nearest", "area", "bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic",
)  # fmt: skip
_BLURRING = ("gaussian", "mitchellcubic")
"""Those that change an image even where it keeps its size."""


@component("UpSampling1D")
def up_sampling1d(shape: Shape, *, size: Count | list[Count] = 2) -> Layer:
    """Repeats every place of a sequence; `size` is how often."""
    return _upsampling(1, shape, size, "nearest")


@component("UpSampling2D")
def up_sampling2d(shape: Shape, *, size: Count | list[Count] = 2, interpolation: str = "nearest") -> Layer:
    """More rows and columns for an image.

    Args:
        shape: Keras shape of the input.
        size: The factor, one number or one per axis.
        interpolation: What stands between the input's places: `nearest` (which `area` is too, for whole factors),
            `bilinear`, `bicubic`, `mitchellcubic`, `gaussian`, `lanczos3` or `lanczos5`, in letters of any case.
    """
    return _upsampling(2, shape, size, interpolation)


@component("UpSampling3D")
def up_sampling3d(shape: Shape, *, size: Count | list[Count] = 2) -> Layer:
    """Repeats every place of a volume; `size` is how often, one number or one per axis."""
    return _upsampling(3, shape, size, "nearest")


def _upsampling(axes: int, shape: Shape, size: int | list[int], interpolation: str) -> Layer:
    *spatial, channels = spatial_input(shape, axes, any_channels=True)
    factors = per_axis(size, axes, "size")
    kernel = interpolation.lower()
    if kernel not in _INTERPOLATIONS:
        raise NetworkError(f"unknown interpolation {show(interpolation)}{near_miss(interpolation, _INTERPOLATIONS)}")
    extents = [None if extent is None else extent * factor for extent, factor in zip(spatial, factors, strict=True)]
    scale = [float(factor) for factor in factors]
    step: Step = partial(resampled, factors=factors, interpolation=kernel)
    if kernel in ("nearest", "area"):
        # torch's plain `nearest` may miss by one place where the inverse of a factor is rounded
        step = partial(functional.interpolate, scale_factor=scale, mode="nearest-exact")
    elif kernel == "bilinear":
        step = partial(functional.interpolate, scale_factor=scale, mode="bilinear", align_corners=False)
    steps = (step,) if max(factors) > 1 or kernel in _BLURRING else ()
    return Layer((*extents, channels), steps)


def resampled(x: Tensor, factors: Sequence[int], interpolation: Any) -> Tensor:
    """An image, shape (N, C, height, width), with `factors` times as many rows and columns."""
    height, width = (extent * factor for extent, factor in zip(x.shape[2:], factors, strict=True))
    return resized(x, height, width, interpolation, antialias=False)
