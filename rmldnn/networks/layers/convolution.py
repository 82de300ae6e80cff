"""Convolutions."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torch.nn import functional

from rmldnn.component import component, near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.variable import Variable
from rmldnn.networks.windows import Sides, Window, flat, pad_same, per_axis
from rmldnn.types import Count, Index

_MODULES: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


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
    activation: str | None = None,
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
    activation: str | None = None,
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
        padding: `valid` (none), `same` (as many results as strides fit into the input), or how many zeros go on
            both sides of every axis.
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
    activation: str | None = None,
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
    activation: str | None,
    use_bias: bool,
    kernel_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    _must_divide(groups, channels=channels, filters=filters)
    window = Window(
        per_axis(kernel_size, axes, "kernel_size"),
        per_axis(strides, axes, "strides"),
        per_axis(dilation_rate, axes, "dilation_rate"),
    )
    sides = _sides(padding, window, tuple(spatial))
    before: tuple[Step, ...] = ()
    symmetric = (0,) * axes
    if sides is None:
        before = (partial(pad_same, reach=window.reach, stride=window.stride),)
        counts = window.same_counts(tuple(spatial))
    else:
        window.must_fit(tuple(spatial), sides, "kernel_size")
        counts = window.counts(tuple(spatial), sides)
        if all(low == high for low, high in sides):
            symmetric = tuple(low for low, _ in sides)
        else:
            before = (partial(functional.pad, pad=flat(sides)),)
    arguments = (channels, filters, window.extent, window.stride, symmetric, window.dilation, groups, use_bias)
    kernel = (*window.extent, channels // groups, filters)
    variables = [Variable("kernel", "weight", kernel, (axes + 1, axes, *range(axes)), kernel_initializer)]
    if use_bias:
        variables.append(Variable("bias", "bias", (filters,), initializer=bias_initializer))
    module = initialized(_MODULES[axes], *arguments, variables=variables)
    return Layer((*counts, filters), (*before, module), activations.find(activation), tuple(variables))


def _sides(padding: str | int | list[int], window: Window, spatial: Shape) -> tuple[Sides, ...] | None:
    """The padding of every axis; None if it depends on extents that are not known yet."""
    axes = len(spatial)
    if not isinstance(padding, str):
        return tuple((amount, amount) for amount in per_axis(padding, axes, "padding"))
    match padding.lower():
        case "valid":
            return ((0, 0),) * axes
        case "same":
            return window.same(spatial)
        case "causal" if axes == 1:
            return ((window.reach[0] - 1, 0),)
    known = ["valid", "same", *(["causal"] if axes == 1 else [])]
    raise NetworkError(f"unknown padding {show(padding)}{near_miss(padding, known)}; or a number for each axis")


def _must_divide(groups: int, **counts: int) -> None:
    for name, count in counts.items():
        if count % groups:
            what = "the channels of its input" if name == "channels" else "`filters`"
            raise NetworkError(f"groups {groups} does not divide {what}, {count}; change `groups` to a divisor")
