"""Layers that act only in training."""

from __future__ import annotations

from torch import nn

from rmldnn.component import component
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import spatial_input
from rmldnn.types import Fraction


@component("Dropout")
def dropout(shape: Shape, *, rate: Fraction) -> Layer:
    """Sets random elements to 0 and scales the others up to keep the mean.

    Args:
        shape: Keras shape of the input.
        rate: Share of elements that are dropped; with 0 the layer costs nothing.
    """
    return _dropping(nn.Dropout, shape, rate)


@component("SpatialDropout1D")
def spatial_dropout1d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of a sequence as a whole."""
    spatial_input(shape, 1)
    return _dropping(nn.Dropout1d, shape, rate)


@component("SpatialDropout2D")
def spatial_dropout2d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of an image as a whole."""
    spatial_input(shape, 2)
    return _dropping(nn.Dropout2d, shape, rate)


@component("SpatialDropout3D")
def spatial_dropout3d(shape: Shape, *, rate: Fraction) -> Layer:
    """Drops random channels of a volume as a whole."""
    spatial_input(shape, 3)
    return _dropping(nn.Dropout3d, shape, rate)


def _dropping(kind: type[nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d], shape: Shape, rate: float) -> Layer:
    return Layer(shape, (kind(rate),) if rate else ())
