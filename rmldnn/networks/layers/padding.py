"""Zeros around the spatial axes, and what is cut away from them."""

from __future__ import annotations

from functools import partial

from torch.nn import functional

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import size, spatial_input
from rmldnn.networks.windows import cropped, flat, sides_per_axis
from rmldnn.types import Index


@component("ZeroPadding1D")
def zero_padding1d(shape: Shape, *, padding: Index | list[Index | list[Index]] = 1) -> Layer:
    """Zeros around a sequence.

    Args:
        shape: Keras shape of the input.
        padding: How many, one number for both ends or one for each.
    """
    return _padding(1, shape, padding)


@component("ZeroPadding2D")
def zero_padding2d(shape: Shape, *, padding: Index | list[Index | list[Index]] = 1) -> Layer:
    """Zeros around an image.

    Args:
        shape: Keras shape of the input.
        padding: How many: one number for all sides, one for each axis, or [before, behind] for each.
    """
    return _padding(2, shape, padding)


@component("ZeroPadding3D")
def zero_padding3d(shape: Shape, *, padding: Index | list[Index | list[Index]] = 1) -> Layer:
    """Zeros around a volume; keys as in `zero_padding2d`."""
    return _padding(3, shape, padding)


@component("Cropping1D")
def cropping1d(shape: Shape, *, cropping: Index | list[Index | list[Index]] = 1) -> Layer:
    """A sequence without its ends.

    Args:
        shape: Keras shape of the input.
        cropping: How much is cut away, one number for both ends or one for each.
    """
    return _cropping(1, shape, cropping)


@component("Cropping2D")
def cropping2d(shape: Shape, *, cropping: Index | list[Index | list[Index]] = 0) -> Layer:
    """An image without its margins.

    Args:
        shape: Keras shape of the input.
        cropping: How much is cut away: one number for all sides, one for each axis, or [before, behind] for each.
    """
    return _cropping(2, shape, cropping)


@component("Cropping3D")
def cropping3d(shape: Shape, *, cropping: Index | list[Index | list[Index]] = 1) -> Layer:
    """A volume without its margins; keys as in `cropping2d`."""
    return _cropping(3, shape, cropping)


def _padding(axes: int, shape: Shape, padding: int | list[int | list[int]]) -> Layer:
    *spatial, channels = spatial_input(shape, axes, any_channels=True)
    sides = sides_per_axis(padding, axes, "padding")
    extents = [None if extent is None else extent + sum(pair) for extent, pair in zip(spatial, sides, strict=True)]
    steps = (partial(functional.pad, pad=flat(sides)),) if any(map(any, sides)) else ()
    return Layer((*extents, channels), steps)


def _cropping(axes: int, shape: Shape, cropping: int | list[int | list[int]]) -> Layer:
    *spatial, channels = spatial_input(shape, axes, any_channels=True)
    sides = sides_per_axis(cropping, axes, "cropping")
    extents = [None if extent is None else extent - sum(pair) for extent, pair in zip(spatial, sides, strict=True)]
    if any(extent is not None and extent < 1 for extent in extents):
        raise NetworkError(
            f"cropping {list(map(list, sides))} leaves nothing of its input of {size(shape)}; make `cropping` smaller"
        )
    steps = (partial(cropped, sides=sides),) if any(map(any, sides)) else ()
    return Layer((*extents, channels), steps)
