"""Images, windows of images and of sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layers import pooling
from rmldnn.networks.layers.resizing import resizing
from rmldnn.networks.layout import size as in_words
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.operations.axes import flip
from rmldnn.networks.operations.operands import Build, Operand, layer, tensor
from rmldnn.networks.operations.rearranging import extents, transpose
from rmldnn.networks.operations.slicing import sliced


def resize(
    x: Operand,
    size: Any,
    method: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_value: float = 0.0,
) -> Layer:
    """Images of another size."""
    methods = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
    if method not in methods:
        raise NetworkError(f"resizes by {show(method)}; use one of {', '.join(methods)}")
    match extents(size, "`size`"):
        case [int(height), int(width)] if height > 0 and width > 0:
            pass
        case other:
            raise NetworkError(
                f"resizes to {show(other)}, which must be two positive numbers; "
                "give the network's input a full `batch_input_shape`, or use UpSampling2D"
            )
    return resizing(
        tensor(x).shape,
        height=height,
        width=width,
        interpolation=method,  # type: ignore[arg-type]
        antialias=antialias,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        fill_value=fill_value,
    )


def _ordered(data_format: Any) -> None:
    """Refuses images whose channels are not last."""
    if data_format not in (None, "channels_last", "NHWC", "NWC", "NDHWC"):
        raise NetworkError(f"`data_format` {show(data_format)} is not taken; export the model with its channels last")


_POOLS = {
    "max": (pooling.max_pooling1d, pooling.max_pooling2d, pooling.max_pooling3d),
    "average": (pooling.average_pooling1d, pooling.average_pooling2d, pooling.average_pooling3d),
}


def _pool(kind: str) -> Build:
    def build(x: Operand, window: Any, strides: Any = None, padding: str = "valid", data_format: Any = None) -> Layer:
        _ordered(data_format)
        shape = tensor(x).shape
        if not 2 <= len(shape) <= 4:
            raise NetworkError(f"pools an input of {in_words(shape)}; it takes one to three spatial axes and channels")
        spatial = len(shape) - 1
        made: Layer = _POOLS[kind][spatial - 1](
            shape,
            pool_size=_spatial(window, spatial, "the window"),
            strides=None if strides is None else _spatial(strides, spatial, "the strides"),
            padding=padding.lower(),
        )
        return made

    return build


def _spatial(value: Any, axes: int, key: str) -> int | list[int]:
    """A number, or one for each spatial axis; TensorFlow may write 1 for the batch and for the channels, too."""
    match value:
        case int():
            return value
        case [1, *inner, 1] if len(inner) == axes:
            return inner
        case [one]:
            return int(one)
        case [*each] if len(each) == axes:
            return each
    raise NetworkError(f"{key} must be a number, or one for each of {axes} spatial axes, got {show(value)}")


def depth_to_space_of(x: Tensor, block: int) -> Tensor:
    """Channels laid out as blocks of pixels; `x` has the shape (N, block * block * C, H, W)."""
    n, depth, height, width = x.shape
    x = x.reshape(n, block, block, depth // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, depth // block**2, height * block, width * block)


def space_to_depth_of(x: Tensor, block: int) -> Tensor:
    """Blocks of pixels laid out as channels; `x` has the shape (N, C, block * H, block * W)."""
    n, depth, height, width = x.shape
    x = x.reshape(n, depth, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, depth * block**2, height // block, width // block)


def depth_to_space(x: Operand, block_size: int, data_format: Any = None) -> Layer:
    """Channels laid out as blocks of pixels."""
    _ordered(data_format)
    height, width, channels = spatial_input(tensor(x).shape, 2)
    if channels % block_size**2:
        raise NetworkError(f"{channels} channels cannot be laid out as blocks of {block_size} x {block_size} pixels")
    result = (height and height * block_size, width and width * block_size, channels // block_size**2)
    return Layer(result, (partial(depth_to_space_of, block=block_size),))


def space_to_depth(x: Operand, block_size: int, data_format: Any = None) -> Layer:
    """Blocks of pixels laid out as channels."""
    _ordered(data_format)
    height, width, channels = spatial_input(tensor(x).shape, 2)
    if (height or 0) % block_size or (width or 0) % block_size:
        raise NetworkError(f"an image of {in_words((height, width))} cannot be cut into blocks of {block_size} pixels")
    result = (height and height // block_size, width and width // block_size, channels * block_size**2)
    return Layer(result, (partial(space_to_depth_of, block=block_size),))


def flip_left_right(x: Operand) -> Layer:
    """Mirrored columns."""
    return flip(x, 2)


def flip_up_down(x: Operand) -> Layer:
    """Mirrored rows."""
    return flip(x, 1)


def transpose_image(x: Operand) -> Layer:
    """Rows and columns exchanged."""
    return transpose(x, [0, 2, 1, 3])


def rot90(x: Operand, k: int = 1, axes: list[int] | None = None) -> Layer:
    """A quarter turn, `k` times."""
    shape = tensor(x).shape
    if axes not in (None, [1, 2]) or len(shape) != 3:
        raise NetworkError("turns others than the axes 1 and 2 of images")
    return layer((partial(torch.rot90, k=k, dims=[2, 3]),), [shape])


def gray(x: Tensor) -> Tensor:
    """Brightness of colours, with TensorFlow's weights; `x` has the shape (N, 3, *spatial)."""
    red, green, blue = x.unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)


def rgb_to_grayscale(x: Operand, data_format: Any = None) -> Layer:
    """Brightness of colours."""
    _ordered(data_format)
    shape = tensor(x).shape
    if not shape or shape[-1] != 3:
        raise NetworkError(f"takes images of 3 channels, got {in_words(shape)}")
    return Layer((*shape[:-1], 1), (gray,))


def standardized(x: Tensor) -> Tensor:
    """Each image with mean 0 and variance 1, as far as its deviation is not tiny."""
    dims = list(range(1, x.dim()))
    deviation, mean = torch.std_mean(x, dims, correction=0, keepdim=True)
    return (x - mean) / torch.clamp(deviation, min=x[0].numel() ** -0.5)


def per_image_standardization(x: Operand) -> Layer:
    """Each image with mean 0 and variance 1."""
    return Layer(tensor(x).shape, (standardized,))


def _box(shape: Shape, top: int, left: int, height: int, width: int) -> Layer:
    return sliced(shape, [slice(None), slice(top, top + height), slice(left, left + width), slice(None)])


def crop_to_bounding_box(x: Operand, top: int, left: int, height: int, width: int) -> Layer:
    """A rectangle of images."""
    shape = spatial_input(tensor(x).shape, 2)
    if top + height > (shape[0] or math.inf) or left + width > (shape[1] or math.inf):
        raise NetworkError(f"cuts beyond its input of {in_words(shape)}")
    return _box(shape, top, left, height, width)


def pad_to_bounding_box(x: Operand, top: int, left: int, height: int, width: int) -> Layer:
    """Images in the middle of zeros."""
    rows, columns, channels = shape = spatial_input(tensor(x).shape, 2)
    if rows is None or columns is None:
        raise NetworkError(f"pads its input of {in_words(shape)} to a size; give the input a full `batch_input_shape`")
    below, right = height - rows - top, width - columns - left
    if min(top, left, below, right) < 0:
        raise NetworkError(f"does not contain its input of {in_words(shape)}")
    step = partial(functional.pad, pad=[left, right, top, below], value=0.0)
    return Layer((height, width, channels), (step,))


def central_crop(x: Operand, fraction: float) -> Layer:
    """The middle of images."""
    rows, columns, _ = shape = spatial_input(tensor(x).shape, 2)
    if rows is None or columns is None:
        raise NetworkError(f"crops a part of its input of {in_words(shape)}; give the input a full `batch_input_shape`")
    top, left = (int((extent - extent * fraction) / 2) for extent in (rows, columns))
    return _box(shape, top, left, rows - 2 * top, columns - 2 * left)


def _margins(shape: Shape, sides: Sequence[int | None], sizes: Sequence[int | None], sign: int) -> list[int]:
    """Rows above, columns on the left, rows below, columns on the right; what is not given follows from the size."""
    top, left, bottom, right = sides
    height, width = sizes
    rows, columns, _ = spatial_input(shape, 2)
    found: list[int] = []
    for low, high, extent, target in ((top, bottom, rows, height), (left, right, columns, width)):
        if target is not None and (low is None or high is None):
            if extent is None:
                raise NetworkError(f"makes its input of {in_words(shape)} fit a size; give the input a full shape")
            rest = sign * (target - extent) - (low or 0) - (high or 0)
            low, high = (rest if low is None else low), (rest if high is None and low is not None else high)
        found += [low or 0, high or 0]
    if min(found) < 0:
        raise NetworkError(f"cannot make its input of {in_words(shape)} fit the size")
    return [found[0], found[2], found[1], found[3]]


def pad_images(
    x: Operand,
    top: int | None = None,
    left: int | None = None,
    bottom: int | None = None,
    right: int | None = None,
    height: int | None = None,
    width: int | None = None,
    data_format: Any = None,
) -> Layer:
    """Images with margins of zeros."""
    _ordered(data_format)
    shape = tensor(x).shape
    top, left, bottom, right = _margins(shape, (top, left, bottom, right), (height, width), 1)
    return layer((partial(functional.pad, pad=[left, right, top, bottom], value=0.0),), [shape])


def crop_images(
    x: Operand,
    top: int | None = None,
    left: int | None = None,
    bottom: int | None = None,
    right: int | None = None,
    height: int | None = None,
    width: int | None = None,
    data_format: Any = None,
) -> Layer:
    """Images without margins."""
    _ordered(data_format)
    shape = tensor(x).shape
    top, left, bottom, right = _margins(shape, (top, left, bottom, right), (height, width), -1)
    rows, columns = slice(top, -bottom or None), slice(left, -right or None)
    return sliced(shape, [slice(None), rows, columns, slice(None)])


OPERATIONS: dict[str, Build] = {
    "average_pool": _pool("average"),
    "central_crop": central_crop,
    "crop_images": crop_images,
    "crop_to_bounding_box": crop_to_bounding_box,
    "depth_to_space": depth_to_space,
    "flip_left_right": flip_left_right,
    "flip_up_down": flip_up_down,
    "max_pool": _pool("max"),
    "pad_images": pad_images,
    "pad_to_bounding_box": pad_to_bounding_box,
    "per_image_standardization": per_image_standardization,
    "resize": resize,
    "rgb_to_grayscale": rgb_to_grayscale,
    "rot90": rot90,
    "space_to_depth": space_to_depth,
    "transpose_image": transpose_image,
}
