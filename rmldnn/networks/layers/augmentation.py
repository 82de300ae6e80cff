"""Random changes of images in training; nothing otherwise.

Flips, contrast and brightness are computed as Keras does. What samples images anew (rotation, zoom, ...) is left to the
transforms of the data, which do it on the samples' own processes: such a layer changes nothing, and says so.
"""

from __future__ import annotations

import logging
from typing import Literal

import torch
from torch import Tensor, nn

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks import draws
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layers.resizing import fitted
from rmldnn.networks.layout import spatial_input
from rmldnn.types import Count

log = logging.getLogger("rmldnn")

_WITHIN = (1, 2, 3)
"""The dimensions of an image, which changes as a whole."""


class Flip(nn.Module):
    """Mirrors every image or not, by chance.

    Args:
        dims: The dimensions along which it may be mirrored.
    """

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """Mirrors images (N, C, H, W) in training, else returns them themselves."""
        for dim in self.dims if self.training else ():
            x = torch.where(draws.chosen(x, 0.5, _WITHIN), x.flip(dim), x)
        return x


@component("RandomFlip")
def random_flip(
    shape: Shape,
    *,
    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical",
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Mirrors half of the images in training.

    Args:
        shape: Keras shape of the input.
        mode: Left and right, up and down, or both, each by a chance of its own.
        rng_type: Keras' own source of randomness, which is torch's here.
    """
    spatial_input(shape, 2)
    dims = {"horizontal": (3,), "vertical": (2,), "horizontal_and_vertical": (3, 2)}
    return Layer(shape, (Flip(*dims[mode]),))


class Contrast(nn.Module):
    """Spreads or narrows the values of every channel of every image around their mean.

    Args:
        low: The least factor.
        high: The largest one.
        limits: Where results are cut off.
    """

    def __init__(self, low: float, high: float, limits: tuple[float, float]) -> None:
        super().__init__()
        self.low = low
        self.high = high
        self.limits = limits

    def forward(self, x: Tensor) -> Tensor:
        """Changes images (N, C, H, W) in training, else returns them themselves."""
        if not self.training:
            return x
        factor = draws.uniform(x, self.low, self.high, _WITHIN)
        return torch.lerp(x.mean((2, 3), keepdim=True), x, factor).clamp(*self.limits)


@component("RandomContrast")
def random_contrast(
    shape: Shape,
    *,
    factor: float | list[float],
    value_range: list[float] | None = None,
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Another contrast for every image in training.

    Args:
        shape: Keras shape of the input.
        factor: How far the factor may go below and above 1, a number or two.
        value_range: Least and largest value of the images; 0 and 255 if not given.
        rng_type: As in `random_flip`.
    """
    spatial_input(shape, 2)
    low, high = _pair(factor, "factor") if isinstance(factor, list) else (factor, factor)
    if not 0 <= low <= 1 or high < 0:
        raise NetworkError(f"factor {show(factor)} must be numbers at least 0, the first at most 1; change it")
    return Layer(shape, (Contrast(1 - low, 1 + high, _pair(value_range or [0, 255], "value_range")),))


class Brightness(nn.Module):
    """Adds a number to every image.

    Args:
        low: The least number.
        high: The largest one.
        limits: Where results are cut off.
    """

    def __init__(self, low: float, high: float, limits: tuple[float, float]) -> None:
        super().__init__()
        self.low = low
        self.high = high
        self.limits = limits

    def forward(self, x: Tensor) -> Tensor:
        """Changes images (N, C, H, W) in training, else returns them themselves."""
        if not self.training:
            return x
        return (x + draws.uniform(x, self.low, self.high, _WITHIN)).clamp(*self.limits)


@component("RandomBrightness")
def random_brightness(
    shape: Shape,
    *,
    factor: float | list[float],
    value_range: list[float] | None = None,
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Another brightness for every image in training.

    Args:
        shape: Keras shape of the input.
        factor: The least and the largest change, as shares of the range of values; a number is for both sides.
        value_range: Least and largest value of the images; 0 and 255 if not given.
        rng_type: As in `random_flip`.
    """
    spatial_input(shape, 2)
    low, high = _pair(factor, "factor") if isinstance(factor, list) else (-abs(factor), abs(factor))
    if not -1 <= low <= high <= 1:
        raise NetworkError(f"factor {show(factor)} must be numbers from -1 to 1; change it")
    limits = _pair(value_range or [0, 255], "value_range")
    spread = limits[1] - limits[0]
    return Layer(shape, (Brightness(low * spread, high * spread, limits),))


def _pair(values: list[float], key: str) -> tuple[float, float]:
    if len(values) != 2:
        raise NetworkError(f"`{key}` must be two numbers, got {show(values)}")
    return values[0], values[1]


class Crop(nn.Module):
    """Cuts a random part out of a batch of images in training; outside of it, and of images too small, what fits.

    Args:
        height: Rows of the result.
        width: Columns of the result.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """Cuts or resizes images (N, C, H, W)."""
        spare = (x.shape[2] - self.height, x.shape[3] - self.width)
        if not self.training or min(spare) < 0:
            return fitted(x, self.height, self.width)
        for dim, more, extent in zip((2, 3), spare, (self.height, self.width), strict=True):
            start = draws.uniform(x.float(), 0, more + 1, (0, 1, *_WITHIN)).long().flatten()  # of which no code waits
            x = x.index_select(dim, start + torch.arange(extent, device=x.device))
        return x


@component("RandomCrop")
def random_crop(
    shape: Shape,
    *,
    height: Count,
    width: Count,
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """A random part of the images in training, the same for a batch; outside of training they are resized to fit.

    Args:
        shape: Keras shape of the input.
        height: Rows of the result.
        width: Columns of the result.
        rng_type: As in `random_flip`.
    """
    *_, channels = spatial_input(shape, 2)
    return Layer((height, width, channels), (Crop(height, width),))


@component("RandomRotation")
def random_rotation(
    shape: Shape,
    *,
    factor: float | list[float],  # noqa: ARG001
    fill_mode: str = "reflect",  # noqa: ARG001
    fill_value: float = 0.0,  # noqa: ARG001
    interpolation: str = "bilinear",  # noqa: ARG001
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Turns images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomRotation", shape)


@component("RandomZoom")
def random_zoom(
    shape: Shape,
    *,
    height_factor: float | list[float],  # noqa: ARG001
    width_factor: float | list[float] | None = None,  # noqa: ARG001
    fill_mode: str = "reflect",  # noqa: ARG001
    fill_value: float = 0.0,  # noqa: ARG001
    interpolation: str = "bilinear",  # noqa: ARG001
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Zooms images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomZoom", shape)


@component("RandomTranslation")
def random_translation(
    shape: Shape,
    *,
    height_factor: float | list[float],  # noqa: ARG001
    width_factor: float | list[float],  # noqa: ARG001
    fill_mode: str = "reflect",  # noqa: ARG001
    fill_value: float = 0.0,  # noqa: ARG001
    interpolation: str = "bilinear",  # noqa: ARG001
    rng_type: str | None = None,  # noqa: ARG001
) -> Layer:
    """Moves images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomTranslation", shape)


@component("RandomShear")
def random_shear(
    shape: Shape,
    *,
    x_factor: float | list[float] = 0.0,  # noqa: ARG001
    y_factor: float | list[float] = 0.0,  # noqa: ARG001
    fill_mode: str = "reflect",  # noqa: ARG001
    fill_value: float = 0.0,  # noqa: ARG001
    interpolation: str = "bilinear",  # noqa: ARG001
) -> Layer:
    """Shears images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomShear", shape)


@component("RandomHue")
def random_hue(
    shape: Shape,
    *,
    factor: float | list[float],  # noqa: ARG001
    value_range: list[float] | None = None,  # noqa: ARG001
) -> Layer:
    """Turns the colours of images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomHue", shape)


@component("RandomSaturation")
def random_saturation(
    shape: Shape,
    *,
    factor: float | list[float],  # noqa: ARG001
    value_range: list[float] | None = None,  # noqa: ARG001
) -> Layer:
    """Strengthens or weakens colours in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomSaturation", shape)


@component("RandomSharpness")
def random_sharpness(
    shape: Shape,
    *,
    factor: float | list[float],  # noqa: ARG001
    value_range: list[float] | None = None,  # noqa: ARG001
) -> Layer:
    """Sharpens or blurs images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomSharpness", shape)


@component("RandomGrayscale")
def random_grayscale(
    shape: Shape,
    *,
    factor: float | list[float] = 0.5,  # noqa: ARG001
) -> Layer:
    """Takes the colours from images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomGrayscale", shape)


@component("RandomErasing")
def random_erasing(
    shape: Shape,
    *,
    factor: float | list[float] = 1.0,  # noqa: ARG001
    scale: float | list[float] = 0.33,  # noqa: ARG001
    fill_value: float | None = None,  # noqa: ARG001
    value_range: list[float] | None = None,  # noqa: ARG001
) -> Layer:
    """Covers parts of images in training in Keras; changes nothing here, whatever its keys say."""
    return _left_to_data("RandomErasing", shape)


def _left_to_data(name: str, shape: Shape) -> Layer:
    """A layer that passes everything on, with a warning for those who train."""
    spatial_input(shape, 2)
    log.warning("`%s` changes nothing in training here; use transforms of the data instead", name)
    return Layer(shape)
