"""Depthwise convolutions: every channel has windows of its own."""

from __future__ import annotations

from typing import Any

from rmldnn.component import component
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layers.convolution import MODULES, window_of
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.variable import Variable
from rmldnn.types import Count, Index


@component("DepthwiseConv1D")
def depthwise_conv1d(
    shape: Shape,
    *,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    depth_multiplier: Count = 1,
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    filters: Any = None,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """The same for sequences; keys as in `depthwise_conv2d`, and `padding` may be `causal` besides."""
    return _depthwise(
        1, shape, kernel_size, strides, padding, depth_multiplier, dilation_rate,
        activation, use_bias, depthwise_initializer, bias_initializer,
    )  # fmt: skip


@component("DepthwiseConv2D")
def depthwise_conv2d(
    shape: Shape,
    *,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    depth_multiplier: Count = 1,
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    filters: Any = None,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """Convolution of each channel of an image by itself.

    Args:
        shape: Keras shape of the input.
        kernel_size: Extent of the window, one number or one per axis.
        strides: Steps of the window.
        padding: As in `conv2d`.
        depth_multiplier: Channels of the result for each of the input's, which lie next to each other.
        dilation_rate: Distance of the window's elements.
        activation: Applied to the result.
        use_bias: Whether one number per channel of the result is added.
        depthwise_initializer: Initial weights; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
        groups: No effect, as in Keras 2, which writes it.
        filters: No effect.
        kernel_initializer: No effect.
    """
    return _depthwise(
        2, shape, kernel_size, strides, padding, depth_multiplier, dilation_rate,
        activation, use_bias, depthwise_initializer, bias_initializer,
    )  # fmt: skip


@component("DepthwiseConv3D")
def depthwise_conv3d(
    shape: Shape,
    *,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    depth_multiplier: Count = 1,
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    depthwise_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    groups: Any = 1,  # noqa: ARG001
    filters: Any = None,  # noqa: ARG001
    kernel_initializer: Any = None,  # noqa: ARG001
) -> Layer:
    """The same for volumes; keys as in `depthwise_conv2d`."""
    return _depthwise(
        3, shape, kernel_size, strides, padding, depth_multiplier, dilation_rate,
        activation, use_bias, depthwise_initializer, bias_initializer,
    )  # fmt: skip


def _depthwise(
    axes: int,
    shape: Shape,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: str | int | list[int],
    depth_multiplier: int,
    dilation_rate: int | list[int],
    activation: str | dict[str, Any] | None,
    use_bias: bool,
    depthwise_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    window = window_of(axes, kernel_size, strides, dilation_rate)
    counts, padded, before = window.fit(padding, tuple(spatial))
    filters = channels * depth_multiplier
    variables = [depthwise_kernel(window.extent, channels, depth_multiplier, depthwise_initializer)]
    if use_bias:
        variables.append(Variable("bias", "bias", (filters,), initializer=bias_initializer))
    arguments = (channels, filters, window.extent, window.stride, padded, window.dilation, channels, use_bias)
    module = initialized(MODULES[axes], *arguments, variables=variables)
    return Layer((*counts, filters), (*before, module), activations.find(activation), tuple(variables))


def depthwise_kernel(
    window: tuple[int, ...], channels: int, multiplier: int, initializer: str | dict[str, Any] | None
) -> Variable:
    """The weight of a depthwise convolution, which torch folds to (channels * multiplier, 1, *window)."""
    axes = len(window)
    order = (axes, axes + 1, *range(axes))
    return Variable("depthwise_kernel", "weight", (*window, channels, multiplier), order, initializer)
