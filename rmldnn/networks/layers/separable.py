"""Separable convolutions: a depthwise one, then one with windows of a single place."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from torch import nn

from rmldnn.component import component
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layers.convolution import MODULES, window_of
from rmldnn.networks.layers.depthwise import depthwise_kernel
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.variable import Variable
from rmldnn.types import Count, Index


@component("SeparableConv1D")
def separable_conv1d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    depth_multiplier: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    pointwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """The same for sequences; keys as in `separable_conv2d`, and `padding` may be `causal` besides."""
    return _separable(
        1, shape, filters, kernel_size, strides, padding, dilation_rate, depth_multiplier, activation,
        use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
    )  # fmt: skip


@component("SeparableConv2D")
def separable_conv2d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    depth_multiplier: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    pointwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """Convolution of each channel of an image by itself, then a mixture of channels at every place.

    Args:
        shape: Keras shape of the input.
        filters: Channels of the result.
        kernel_size: Extent of the window, one number or one per axis.
        strides: Steps of the window.
        padding: As in `conv2d`.
        dilation_rate: Distance of the window's elements.
        depth_multiplier: Channels between the two parts for each of the input's.
        activation: Applied to the result.
        use_bias: Whether one number per filter is added, after both parts.
        depthwise_initializer: Initial weights of the windows; torch's own if not given.
        pointwise_initializer: Initial weights of the mixture; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
        groups: No effect, as in Keras 2, which writes it.
        kernel_initializer: No effect, as in Keras 2, which writes it.
    """
    return _separable(
        2, shape, filters, kernel_size, strides, padding, dilation_rate, depth_multiplier, activation,
        use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
    )  # fmt: skip


@component("SeparableConv3D")
def separable_conv3d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    depth_multiplier: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    pointwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """The same for volumes; keys as in `separable_conv2d`."""
    return _separable(
        3, shape, filters, kernel_size, strides, padding, dilation_rate, depth_multiplier, activation,
        use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
    )  # fmt: skip


def _separable(
    axes: int,
    shape: Shape,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: str | int | list[int],
    dilation_rate: int | list[int],
    depth_multiplier: int,
    activation: str | dict[str, Any] | None,
    use_bias: bool,
    depthwise_initializer: str | dict[str, Any] | None,
    pointwise_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    window = window_of(axes, kernel_size, strides, dilation_rate)
    counts, padded, before = window.fit(padding, tuple(spatial))
    between = channels * depth_multiplier
    windows = [depthwise_kernel(window.extent, channels, depth_multiplier, depthwise_initializer)]
    order = (axes + 1, axes, *range(axes))
    mixture = [Variable("pointwise_kernel", "weight", (*(1,) * axes, between, filters), order, pointwise_initializer)]
    if use_bias:
        mixture.append(Variable("bias", "bias", (filters,), initializer=bias_initializer))
    kind = MODULES[axes]
    arguments = (channels, between, window.extent, window.stride, padded, window.dilation, channels, False)
    parts = {
        "depthwise": initialized(kind, *arguments, variables=windows),
        "pointwise": initialized(kind, between, filters, 1, 1, 0, 1, 1, use_bias, variables=mixture),
    }
    return Layer(
        shape=(*counts, filters),
        steps=(*before, nn.Sequential(OrderedDict(parts))),
        activation=activations.find(activation),
        variables=(*_within("depthwise", windows), *_within("pointwise", mixture)),
    )


def _within(part: str, variables: list[Variable]) -> list[Variable]:
    """The variables of a part, as the whole module calls their parameters."""
    return [replace(variable, parameter=f"{part}.{variable.parameter}") for variable in variables]
