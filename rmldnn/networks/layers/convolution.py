"""Convolutions."""

from __future__ import annotations

from typing import Any

from torch import nn

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.variable import Variable
from rmldnn.networks.windows import Window, per_axis
from rmldnn.types import Count, Index

MODULES: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
"""Torch's convolutions by their number of spatial axes."""


@component("Conv1D")
def conv1d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    groups: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Convolution along one axis; keys as in `conv2d`, and `padding` may be `causal` besides."""
    return _convolution(
        1, shape, filters, kernel_size, strides, padding, dilation_rate, groups,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


@component("Conv2D")
def conv2d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    groups: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Convolution over images.

    Args:
        shape: Keras shape of the input.
        filters: Channels of the result.
        kernel_size: Extent of the window, one number or one per axis.
        strides: Steps of the window.
        padding: `valid` (none), `same` (as many results as strides fit into the input), in letters of any case, or
            how many zeros go on both sides of every axis.
        dilation_rate: Distance of the window's elements.
        groups: Parts into which the channels are split, each with its own filters.
        activation: Applied to the result.
        use_bias: Whether one number per filter is added.
        kernel_initializer: Initial weights; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
    """
    return _convolution(
        2, shape, filters, kernel_size, strides, padding, dilation_rate, groups,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


@component("Conv3D")
def conv3d(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str | Index | list[Index] = "valid",
    dilation_rate: Count | list[Count] = 1,
    groups: Count = 1,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Convolution over volumes; keys as in `conv2d`."""
    return _convolution(
        3, shape, filters, kernel_size, strides, padding, dilation_rate, groups,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


def _convolution(
    axes: int,
    shape: Shape,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: str | int | list[int],
    dilation_rate: int | list[int],
    groups: int,
    activation: str | dict[str, Any] | None,
    use_bias: bool,
    kernel_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    _must_divide(groups, channels=channels, filters=filters)
    window = window_of(axes, kernel_size, strides, dilation_rate)
    counts, padded, before = window.fit(padding, tuple(spatial))
    kernel = (*window.extent, channels // groups, filters)
    variables = [Variable("kernel", "weight", kernel, (axes + 1, axes, *range(axes)), kernel_initializer)]
    if use_bias:
        variables.append(Variable("bias", "bias", (filters,), initializer=bias_initializer))
    arguments = (channels, filters, window.extent, window.stride, padded, window.dilation, groups, use_bias)
    module = initialized(MODULES[axes], *arguments, variables=variables)
    return Layer((*counts, filters), (*before, module), activations.find(activation), tuple(variables))


def window_of(
    axes: int, kernel_size: int | list[int], strides: int | list[int], dilation_rate: int | list[int]
) -> Window:
    """The window that the keys of a convolution describe."""
    return Window(
        per_axis(kernel_size, axes, "kernel_size"),
        per_axis(strides, axes, "strides"),
        per_axis(dilation_rate, axes, "dilation_rate"),
    )


def _must_divide(groups: int, **counts: int) -> None:
    for name, count in counts.items():
        if count % groups:
            what = "the channels of its input" if name == "channels" else "`filters`"
            raise NetworkError(f"groups {groups} does not divide {what}, {count}; change `groups` to a divisor")
