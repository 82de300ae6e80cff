"""Transposed convolutions: the inputs that a convolution with the same keys would turn into results like these."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from torch import nn

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layers.convolution import window_of
from rmldnn.networks.layout import spatial_input
from rmldnn.networks.variable import Variable
from rmldnn.networks.windows import cropped, padding_word, per_axis
from rmldnn.types import Count, Index

_MODULES: dict[int, type[nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@component("Conv1DTranspose")
def conv1d_transpose(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str = "valid",
    output_padding: Index | list[Index] | None = None,
    dilation_rate: Count | list[Count] = 1,
    groups: Literal[1] = 1,  # noqa: ARG001
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """The same for sequences; keys as in `conv2d_transpose`."""
    return _transposed(
        1, shape, filters, kernel_size, strides, padding, output_padding, dilation_rate,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


@component("Conv2DTranspose")
def conv2d_transpose(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str = "valid",
    output_padding: Index | list[Index] | None = None,
    dilation_rate: Count | list[Count] = 1,
    groups: Literal[1] = 1,  # noqa: ARG001
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Every place of an image becomes a window of the result, and windows add up where they overlap.

    Args:
        shape: Keras shape of the input.
        filters: Channels of the result.
        kernel_size: Extent of the window, one number or one per axis.
        strides: Steps of the window in the result.
        padding: `valid` (all that the windows reach, and at least `strides` for each place), or `same` (`strides`
            for each place), in letters of any case.
        output_padding: Sets the result's extent: `(extent - 1) * strides + kernel_size + output_padding` under
            `valid`, with 1 or 0 for an odd or even kernel_size under `same`. If not given, as above.
        dilation_rate: Distance of the window's elements.
        groups: Keras splits no channels here.
        activation: Applied to the result.
        use_bias: Whether one number per filter is added.
        kernel_initializer: Initial weights; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
    """
    return _transposed(
        2, shape, filters, kernel_size, strides, padding, output_padding, dilation_rate,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


@component("Conv3DTranspose")
def conv3d_transpose(
    shape: Shape,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: str = "valid",
    output_padding: Index | list[Index] | None = None,
    dilation_rate: Count | list[Count] = 1,
    groups: Literal[1] = 1,  # noqa: ARG001
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """The same for volumes; keys as in `conv2d_transpose`."""
    return _transposed(
        3, shape, filters, kernel_size, strides, padding, output_padding, dilation_rate,
        activation, use_bias, kernel_initializer, bias_initializer,
    )  # fmt: skip


def _transposed(
    axes: int,
    shape: Shape,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: str,
    output_padding: int | list[int] | None,
    dilation_rate: int | list[int],
    activation: str | dict[str, Any] | None,
    use_bias: bool,
    kernel_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
) -> Layer:
    *spatial, channels = spatial_input(shape, axes)
    window = window_of(axes, kernel_size, strides, dilation_rate)
    same = padding_word(padding) == "same"
    wanted: Sequence[int | None] = (None,) * axes
    if output_padding is not None:
        wanted = per_axis(output_padding, axes, "output_padding")
    # what the result has more than all windows reach, (extent - 1) * stride + reach; negative if it has less
    surplus = [_surplus(*axis, same) for axis in zip(window.reach, window.stride, wanted, strict=True)]
    low = tuple(max(-more, 0) // 2 if same else 0 for more in surplus)
    high = [more + 2 * less for more, less in zip(surplus, low, strict=True)]
    after: tuple[Step, ...] = ()
    if min(high) < 0:  # torch takes as much away on both sides: one too few behind
        after = (partial(cropped, sides=[(0, max(-more, 0)) for more in high]),)
    extents = tuple(
        None if extent is None else (extent - 1) * stride + reach + more
        for extent, stride, reach, more in zip(spatial, window.stride, window.reach, surplus, strict=True)
    )
    kernel = (*window.extent, filters, channels)
    variables = [Variable("kernel", "weight", kernel, (axes + 1, axes, *range(axes)), kernel_initializer)]
    if use_bias:
        variables.append(Variable("bias", "bias", (filters,), initializer=bias_initializer))
    added = tuple(max(more, 0) for more in high)
    arguments = (channels, filters, window.extent, window.stride, low, added, 1, use_bias, window.dilation)
    module = initialized(_MODULES[axes], *arguments, variables=variables)
    return Layer((*extents, filters), (module, *after), activations.find(activation), tuple(variables))


def _surplus(reach: int, stride: int, output_padding: int | None, same: bool) -> int:
    """How much longer one axis of the result is than what the windows reach."""
    if output_padding is None:
        return stride - reach if same else max(stride - reach, 0)
    if output_padding >= stride:
        raise NetworkError(f"output_padding {output_padding} must be less than strides, {stride}; make it smaller")
    if same and reach % 2 + output_padding == 0:
        raise NetworkError(
            "output_padding 0 leaves no place for the last window of an even kernel_size under `same`; "
            "make `output_padding` 1 or more, or null for as many results as strides fit"
        )
    return output_padding if not same else reach % 2 + output_padding - reach
