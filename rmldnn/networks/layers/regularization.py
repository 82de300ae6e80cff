"""Layers that act only in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks import draws
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import dimension, size, spatial_input
from rmldnn.types import Fraction, NonNegative, OpenFraction


@component("Dropout")
def dropout(shape: Shape, *, rate: Fraction, noise_shape: list[int | None] | None = None) -> Layer:
    """Sets random elements to 0 and scales the others up to keep the mean.

    Args:
        shape: Keras shape of the input.
        rate: Share of elements that are dropped; with 0 the layer costs nothing.
        noise_shape: Keras shape of the random choice, batch included: 1 along axes whose elements share their fate,
            null or the input's extent along the others.
    """
    return _dropping(shape, rate, _shared(noise_shape, shape))


def _shared(noise_shape: list[int | None] | None, shape: Shape) -> tuple[int, ...]:
    """The dimensions along which elements are dropped together."""
    if noise_shape is None:
        return ()
    batch, *extents = noise_shape or [0]
    if len(extents) != len(shape) or any(
        None not in (one, extent) and one not in (1, extent) for one, extent in zip(extents, shape, strict=False)
    ):
        raise NetworkError(
            f"noise_shape {show(noise_shape)} must hold 1 or null for the batch and each axis of its input of "
            f"{size(shape)}; change `noise_shape`"
        )
    return (
        *((0,) if batch == 1 else ()),
        *(dimension(axis, shape) for axis, extent in enumerate(extents, 1) if extent == 1 != shape[axis - 1]),
    )


class Dropout(nn.Module):
    """Dropout, whose choice may be the same along some dimensions.

    Args:
        rate: Share of elements that are dropped.
        shared: These dimensions.
    """

    def __init__(self, rate: float, shared: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.rate = rate
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        """Drops in training, else returns the tensor itself."""
        return draws.dropout(x, self.rate, self.shared) if self.training else x

    def extra_repr(self) -> str:
        """What it does, for those who print the network."""
        return f"rate={self.rate}" + (f", shared={self.shared}" if self.shared else "")


@component("SpatialDropout1D")
def spatial_dropout1d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of a sequence as a whole."""
    spatial_input(shape, 1)
    return _dropping(shape, rate, (2,))


@component("SpatialDropout2D")
def spatial_dropout2d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of an image as a whole."""
    spatial_input(shape, 2)
    return _dropping(shape, rate, (2, 3))


@component("SpatialDropout3D")
def spatial_dropout3d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of a volume as a whole."""
    spatial_input(shape, 3)
    return _dropping(shape, rate, (2, 3, 4))


@component("AlphaDropout")
def alpha_dropout(shape: Shape, *, rate: OpenFraction) -> Layer:
    """Sets random elements to what SELU saturates at and keeps mean and variance; Klambauer et al., 2017."""
    return Layer(shape, (AlphaDropout(rate),) if rate else ())


def _dropping(shape: Shape, rate: float, shared: tuple[int, ...]) -> Layer:
    return Layer(shape, (Dropout(rate, shared),) if rate else ())


class AlphaDropout(nn.Module):
    """Dropout to what SELU saturates at.

    Args:
        rate: Share of elements that are dropped.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drops in training, else returns the tensor itself."""
        if not self.training:
            return x
        factor = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * _SATURATION**2))
        dropped = x.masked_fill(draws.chosen(x, self.rate), _SATURATION)
        return dropped * factor - factor * self.rate * _SATURATION

    def extra_repr(self) -> str:
        """What it does, for those who print the network."""
        return f"rate={self.rate}"


_SATURATION = -1.7580993408473766
"""What SELU gives for the smallest numbers."""


class Noise(nn.Module):
    """Normal noise in training.

    Args:
        deviation: Its standard deviation.
        relative: Whether it multiplies, with mean 1, or is added, with mean 0.
    """

    def __init__(self, deviation: float, relative: bool) -> None:
        super().__init__()
        self.deviation = deviation
        self.relative = relative

    def forward(self, x: Tensor) -> Tensor:
        """Disturbs the tensor in training, else returns it itself."""
        if not self.training:
            return x
        noise = draws.normal(x)
        return torch.addcmul(x, x, noise, value=self.deviation) if self.relative else x + self.deviation * noise

    def extra_repr(self) -> str:
        """What it does, for those who print the network."""
        return f"deviation={self.deviation}, relative={self.relative}"


@component("GaussianNoise")
def gaussian_noise(shape: Shape, *, stddev: NonNegative) -> Layer:
    """Adds normal noise.

    Args:
        shape: Keras shape of the input.
        stddev: Its standard deviation; with 0 the layer costs nothing.
    """
    return Layer(shape, (Noise(stddev, relative=False),) if stddev else ())


@component("GaussianDropout")
def gaussian_dropout(shape: Shape, *, rate: OpenFraction) -> Layer:
    """Multiplies by normal noise of mean 1 and the variance that `Dropout` would have.

    Args:
        shape: Keras shape of the input.
        rate: Share of elements that `Dropout` would drop; with 0 the layer costs nothing.
    """
    return Layer(shape, (Noise(math.sqrt(rate / (1 - rate)), relative=True),) if rate else ())


@component("ActivityRegularization")
def activity_regularization(shape: Shape, *, l1: NonNegative = 0.0, l2: NonNegative = 0.0) -> Layer:
    """Nothing; penalties of results are not applied.

    Args:
        shape: Keras shape of the input.
        l1: Factor of the sum of magnitudes; must be 0.
        l2: Factor of the sum of squares; must be 0.
    """
    if l1 or l2:
        raise NetworkError("penalties of results are not applied; set `l1` and `l2` to 0, or regularize a kernel")
    return Layer(shape)
