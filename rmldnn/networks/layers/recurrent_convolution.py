"""Recurrent layers whose products are convolutions; tensors (N, T, *spatial, C) of Keras are (N, C, T, *spatial)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.cells import ConvLSTM
from rmldnn.networks.graph import Arguments
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Shapes, Step
from rmldnn.networks.layers.recurrent import PATH, formed, recurrent
from rmldnn.networks.layout import channels_first, channels_last, spatial_input
from rmldnn.networks.recurrence import Dropping, Form, Nonlinearities
from rmldnn.networks.variable import Variable
from rmldnn.networks.windows import Window, per_axis
from rmldnn.types import Count, Fraction

_SWAP = partial(torch.transpose, dim0=1, dim1=2)


@component("ConvLSTM1D")
def conv_lstm1d(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: Literal["valid", "same"] = "valid",
    data_format: Literal["channels_last", "channels_first"] | None = "channels_last",
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = "tanh",
    recurrent_activation: str | dict[str, Any] | None = "",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    unit_forget_bias: bool = True,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
) -> Layer:
    """Convolutional LSTM along a sequence of rows; keys as in `conv_lstm2d`."""
    return _conv_lstm(
        1, shapes, arguments, keras, filters, kernel_size, strides, padding, data_format, dilation_rate,
        activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, Dropping(dropout, recurrent_dropout, per_gate=True),
        formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major),
    )  # fmt: skip


@component("ConvLSTM2D")
def conv_lstm2d(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: Literal["valid", "same"] = "valid",
    data_format: Literal["channels_last", "channels_first"] | None = "channels_last",
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = "tanh",
    recurrent_activation: str | dict[str, Any] | None = "",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    unit_forget_bias: bool = True,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
) -> Layer:
    """Convolutional LSTM along a sequence of images.

    Keys as in `lstm` and, for the convolution of the inputs, as in `conv2d`; that of the states keeps their extents.
    `recurrent_activation`, if not given, is that of the generation of Keras: `sigmoid`, or `hard_sigmoid` before 3.
    `data_format` of `channels_first` means that Keras has (T, C, *spatial).
    """
    return _conv_lstm(
        2, shapes, arguments, keras, filters, kernel_size, strides, padding, data_format, dilation_rate,
        activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, Dropping(dropout, recurrent_dropout, per_gate=True),
        formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major),
    )  # fmt: skip


@component("ConvLSTM3D")
def conv_lstm3d(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    filters: Count,
    kernel_size: Count | list[Count],
    strides: Count | list[Count] = 1,
    padding: Literal["valid", "same"] = "valid",
    data_format: Literal["channels_last", "channels_first"] | None = "channels_last",
    dilation_rate: Count | list[Count] = 1,
    activation: str | dict[str, Any] | None = "tanh",
    recurrent_activation: str | dict[str, Any] | None = "",
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    recurrent_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
    unit_forget_bias: bool = True,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
) -> Layer:
    """Convolutional LSTM along a sequence of volumes; keys as in `conv_lstm2d`."""
    return _conv_lstm(
        3, shapes, arguments, keras, filters, kernel_size, strides, padding, data_format, dilation_rate,
        activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, Dropping(dropout, recurrent_dropout, per_gate=True),
        formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major),
    )  # fmt: skip


def _conv_lstm(
    axes: int,
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    filters: int,
    kernel_size: int | list[int],
    strides: int | list[int],
    padding: str,
    data_format: str | None,
    dilation_rate: int | list[int],
    activation: str | dict[str, Any] | None,
    recurrent_activation: str | dict[str, Any] | None,
    use_bias: bool,
    kernel_initializer: str | dict[str, Any] | None,
    recurrent_initializer: str | dict[str, Any] | None,
    bias_initializer: str | dict[str, Any] | None,
    unit_forget_bias: bool,
    dropping: Dropping,
    form: Form,
) -> Layer:
    first = data_format == "channels_first"
    if first and (len(shapes) > 1 or form.states):
        raise NetworkError('its states are only computed in the order "channels_last"; export it with that data_format')
    shape = shapes[0]
    if first and len(shape) > 1:
        shape = (shape[0], *shape[2:], shape[1])
    _, *spatial, channels = spatial_input(shape, axes + 1)
    window = Window(
        per_axis(kernel_size, axes, "kernel_size"),
        per_axis(strides, axes, "strides"),
        per_axis(dilation_rate, axes, "dilation_rate"),
    )
    if recurrent_activation == "":
        recurrent_activation = "sigmoid" if keras == 3 else "hard_sigmoid_of_keras_2"
    order = (axes + 1, axes, *range(axes))
    kernel = (*window.extent, channels, 4 * filters)
    variables = [
        Variable("kernel", "weight_ih", kernel, order, kernel_initializer, PATH),
        Variable("recurrent_kernel", "weight_hh", (*window.extent, filters, 4 * filters), order,
                 recurrent_initializer, PATH),
    ]  # fmt: skip
    if use_bias:
        variables.append(Variable("bias", "bias", (4 * filters,), initializer=bias_initializer, path=PATH))
    module = initialized(
        ConvLSTM,
        window,
        padding == "same",
        form,
        channels,
        filters,
        (4 * filters,) if use_bias else None,
        Nonlinearities(activations.find(activation), activations.find(recurrent_activation)),
        dropping,
        variables=variables,
    )
    if module.bias is not None and unit_forget_bias and bias_initializer is not None:
        variables[-1].view(module.bias)[filters : 2 * filters] = 1.0
    counts = _counts(window, tuple(spatial), padding)
    layer = recurrent(module, [shape, *shapes[1:]], arguments, variables, [(*counts, filters)] * 2)
    return _among_channels_first(layer, form.sequences) if first else layer


def _counts(window: Window, spatial: Shape, padding: str) -> Shape:
    """The extents of the states."""
    if padding == "same":
        return window.same_counts(spatial)
    sides = ((0, 0),) * len(spatial)
    window.must_fit(spatial, sides, "kernel_size")
    return window.counts(spatial, sides)


def _among_channels_first(layer: Layer, sequences: bool) -> Layer:
    """The layer where Keras has (T, C, *spatial), whose last axis comes first in a tensor."""
    *spatial, channels = layer.shape
    shape = (spatial[0], channels, *spatial[1:]) if sequences else (channels, *spatial)
    swap: tuple[Step, ...] = (_SWAP,) if sequences else ()
    steps: tuple[Step, ...] = (*channels_last(shape), _SWAP, *layer.steps, *swap, *channels_first(shape))
    return Layer(shape, steps, variables=layer.variables)
