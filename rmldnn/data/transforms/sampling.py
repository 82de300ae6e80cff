"""Values at places between pixels.

Places are given as indices, one array for each axis that is sampled: pixel `i` has its centre at `i`. The nearest pixel
and the linear blend are taken at the very same places, so a mask stays on its image. Beyond the borders lies zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.data.transform import Pixels

Places: TypeAlias = Sequence[NDArray[np.float32]]

MAX_SIDE = 2**15 - 2
"""OpenCV's `remap` takes no longer sides."""
MAX_CHANNELS = 128
"""OpenCV's `resize` takes no more."""
_WORKING = {"bool": np.uint8, "int8": np.float32, "int16": np.float32, "float16": np.float32}
"""Types in which numbers are blended that OpenCV does not blend well as they are; 64-bit floats for other integers."""
_EXACT = 2**24
"""Integers below are exact as 32-bit floats."""
_PORTIONS: dict[int, tuple[int, ...]] = {0: (), 1: (1,), 2: (1, 1), 3: (3,)}
_OWN = ("uint8", "uint16", "float32", "float64")


def nearest(pixels: Pixels, places: Places, axes: Sequence[int]) -> Pixels:
    """The pixels nearest to some places, bit for bit, of any number type.

    Args:
        pixels: Shape (*spatial, C).
        places: One array for each of `axes`, of the new extents of these axes.
        axes: The axes in which pixels move; others stay.
    """
    count = len(axes)
    moved = np.moveaxis(pixels, axes, range(count))
    extents, rest = moved.shape[:count], moved.shape[count:]
    outside = np.zeros(places[0].shape, bool)
    number = math.prod(extents)
    flat = np.zeros(places[0].shape, np.float32 if number < _EXACT else np.float64)  # faster than integers
    for place, extent in zip(places, extents, strict=True):
        index = np.floor(place + np.float32(0.5))
        outside |= (index < 0) | (index >= extent)
        flat *= extent
        flat += index
    flat[outside] = 0
    taken = np.ascontiguousarray(moved).reshape(number, *rest).take(flat.astype(np.intp), axis=0)
    taken[outside] = 0
    whole: Pixels = np.moveaxis(taken, range(count), axes)
    return whole


def linear(pixels: Pixels, places: Places, axes: Sequence[int]) -> Pixels:
    """The linear blend of the pixels around some places, in the number type of `pixels`; arguments as of `nearest`."""
    return working(pixels, lambda values: _blended(values, places, axes))


def resized(pixels: Pixels, extent: Sequence[int]) -> Pixels:
    """Pixels on a grid of other extents over the same area, blended linearly; borders are continued.

    Args:
        pixels: Shape (*spatial, C).
        extent: The new extents of all axes in space.
    """
    if len(extent) == 1:
        line: Pixels = resized(pixels[None], (1, *extent))[0]
        return line
    if len(extent) == 2:
        return working(pixels, lambda values: _resized_picture(values, extent[0], extent[1]))

    def volume(values: Pixels) -> Pixels:
        if values.dtype != np.float64:  # rounding once, after both steps
            values = values.astype(np.float32)
        slices = np.stack([_resized_picture(one, extent[1], extent[2]) for one in values])
        flat = slices.reshape(len(slices), -1, 1)
        whole: Pixels = _resized_picture(flat, extent[0], flat.shape[1]).reshape(extent[0], *slices.shape[1:])
        return whole

    return working(pixels, volume)


def repeated(pixels: Pixels, extent: Sequence[int]) -> Pixels:
    """As `resized`, with the nearest pixel instead of a blend, bit for bit."""
    for axis, (old, new) in enumerate(zip(pixels.shape[:-1], extent, strict=True)):
        if old != new:
            pixels = pixels.take((2 * np.arange(new) + 1) * old // (2 * new), axis=axis)
    return pixels


def working(pixels: Pixels, change: Callable[[Pixels], Pixels]) -> Pixels:
    """What `change` makes of pixels in a number type in which OpenCV can blend them, in the type that they came in."""
    kind = pixels.dtype
    own = kind.name in _OWN
    return cast(
        change(np.ascontiguousarray(pixels if own else pixels.astype(_WORKING.get(kind.name, np.float64)))), kind
    )


def cast(values: Pixels, kind: np.dtype[Any]) -> Pixels:
    """Numbers in a given type: for integers rounded and bounded by what the type can hold."""
    if values.dtype == kind:
        return values
    if kind.kind == "b":
        return values >= 0.5
    if kind.kind not in "iu":
        return values.astype(kind)
    limits = np.iinfo(kind)
    exact = (
        int(np.float64(limits.max)) == limits.max
    )  # the largest 64-bit integer is no float, and its neighbour is too large
    high = float(limits.max) if exact else np.nextafter(float(limits.max), 0)
    rounded = np.rint(values)
    return rounded.clip(limits.min, high, out=rounded).astype(kind)


def with_channels(picture: Pixels) -> Pixels:
    """Gives the axis of a single channel back, which OpenCV drops."""
    return picture if picture.ndim == 3 else picture[..., None]


def _resized_picture(picture: Pixels, height: int, width: int) -> Pixels:
    if picture.shape[:2] == (height, width):
        return picture
    channels = picture.shape[2]
    if channels > MAX_CHANNELS:
        parts = (picture[..., low : low + MAX_CHANNELS] for low in range(0, channels, MAX_CHANNELS))
        return np.concatenate([_resized_picture(np.ascontiguousarray(p), height, width) for p in parts], axis=-1)
    return with_channels(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))


def _blended(values: Pixels, places: Places, axes: Sequence[int]) -> Pixels:
    count = len(axes)
    if count == 1:
        line: Pixels = _blended(
            values[None], [np.zeros((1, len(places[0])), np.float32), places[0][None]], [0, axes[0] + 1]
        )[0]
        return line
    extents = [values.shape[axis] for axis in axes]
    if count > 2 or values.dtype == np.float64 or max(*extents, *places[0].shape) > MAX_SIDE:
        return _blended_by_torch(values, places, axes)
    moved = np.ascontiguousarray(np.moveaxis(values, axes, range(-3, -1)))
    rows, columns = places
    slices = moved.reshape(-1, *moved.shape[-3:])
    blended = np.stack([_remapped(one, rows, columns) for one in slices])
    return np.moveaxis(blended.reshape(*moved.shape[:-3], *blended.shape[1:]), range(-3, -1), axes)


def _remapped(picture: Pixels, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pixels:
    """Blends one picture, in portions of channels for which OpenCV 5 does not round places to 1/32 of a pixel."""
    channels = picture.shape[2]
    portions = _PORTIONS.get(channels) or (*[4] * (channels // 4), *_PORTIONS[channels % 4])
    if len(portions) == 1:
        return with_channels(cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    ends = np.cumsum(portions).tolist()
    return np.concatenate(
        [
            _remapped(np.ascontiguousarray(picture[..., end - portion : end]), rows, columns)
            for portion, end in zip(portions, ends, strict=True)
        ],
        axis=-1,
    )


def _blended_by_torch(values: Pixels, places: Places, axes: Sequence[int]) -> Pixels:
    import torch
    from torch.nn.functional import grid_sample

    kind = np.float64 if values.dtype == np.float64 else np.float32
    count = len(axes)
    moved = np.moveaxis(values, axes, range(count))
    extents, rest = moved.shape[:count], moved.shape[count:]
    channels = np.moveaxis(moved.reshape(*extents, -1), -1, 0).astype(kind)
    relative = [(2 * place + 1) / extent - 1 for place, extent in zip(places, extents, strict=True)]
    grid = torch.from_numpy(np.stack(relative[::-1], axis=-1).astype(kind))
    blended = grid_sample(torch.from_numpy(channels)[None], grid[None], "bilinear", "zeros", align_corners=False)[0]
    result = np.moveaxis(blended.numpy(), 0, -1).reshape(*places[0].shape, *rest)
    return np.moveaxis(result, range(count), axes)
