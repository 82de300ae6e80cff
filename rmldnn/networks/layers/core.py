"""Inputs, dense layers and the activation as a layer."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import channels_first, channels_last, size
from rmldnn.networks.variable import Variable
from rmldnn.types import Count


@component("InputLayer")
def input_layer(
    *, batch_input_shape: list[int | None] | None = None, batch_shape: list[int | None] | None = None
) -> Layer:
    """A place where a tensor enters the network.

    Args:
        batch_input_shape: Keras shape, batch included; null where any extent will do.
        batch_shape: The same by the name that Keras 3 gives it.
    """
    shape = batch_input_shape or batch_shape or []
    if not shape or any(extent is not None and extent < 1 for extent in shape[1:]):
        raise NetworkError(
            f"batch_input_shape must be null for the batch, then positive integers or null, got {show(shape)}"
        )
    return Layer(tuple(shape[1:]))


@component("Dense")
def dense(
    shape: Shape,
    keras: int,
    *,
    units: Count,
    activation: str | dict[str, Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: str | dict[str, Any] | None = None,
    bias_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """A matrix product along Keras' last axis, the channels, at every place of the others.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras that wrote the file.
        units: Channels of the result.
        activation: Applied to the result.
        use_bias: Whether a vector is added.
        kernel_initializer: Initial weights; torch's own if not given.
        bias_initializer: Initial bias; torch's own if not given.
    """
    features = shape[-1]
    if features is None:
        raise NetworkError(
            f"the last axis of its input of {size(shape)} has no fixed extent; "
            "give the input a full `batch_input_shape`, or pool globally before"
        )
    variables = [Variable("kernel", "weight", (features, units), (1, 0), kernel_initializer)]
    if use_bias:
        variables.append(Variable("bias", "bias", (units,), initializer=bias_initializer))
    linear = initialized(nn.Linear, features, units, use_bias, variables=variables)
    return Layer(
        shape=(*shape[:-1], units),
        steps=(*channels_last(shape), linear, *channels_first(shape)),
        activation=activations.find(activation, (*shape[:-1], units), keras),
        variables=tuple(variables),
    )


@component("Activation")
def activation(
    shape: Shape,
    keras: int,
    *,
    activation: str | dict[str, Any] | None,
    axis: Literal[-1, 1] = -1,  # noqa: ARG001
) -> Layer:
    """An activation.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras that wrote the file.
        activation: Which one: a name, or an object with `class_name` and `config`.
        axis: No key of Keras. Softmax and its kin work along the channels, which hand-written networks call 1, as
            tensors are channels first, and Keras calls -1. Another axis takes a `Softmax` layer.
    """
    found = activations.find(activation, shape, keras, halving=True)
    if found.name != activations.HALVING:
        return Layer(shape, activation=found)
    *others, channels = shape
    if channels is not None and channels % 2:
        raise NetworkError(f"`{found.name}` halves the channels of its input, {channels}; make them even")
    return Layer((*others, channels // 2 if channels else None), activation=found)


@component("Identity")
def identity(shape: Shape) -> Layer:
    """Nothing.

    Args:
        shape: Keras shape of the input.
    """
    return Layer(shape)
