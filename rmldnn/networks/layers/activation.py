"""Activations that are layers of their own, with keys of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import component
from rmldnn.networks import activations
from rmldnn.networks.layer import Activation, Layer, Shape
from rmldnn.networks.layout import dimension
from rmldnn.types import NonNegative


@component("ReLU")
def relu(
    shape: Shape, *, max_value: NonNegative | None = None, negative_slope: NonNegative = 0.0, threshold: float = 0.0
) -> Layer:
    """Passes what is above a threshold.

    Args:
        shape: Keras shape of the input.
        max_value: What larger results become; no limit if not given.
        negative_slope: Slope below the threshold.
        threshold: Where the slope changes.
    """
    step: Callable[[Tensor], Tensor] = partial(
        clipped, max_value=max_value, negative_slope=negative_slope, threshold=threshold
    )
    if threshold == 0 and negative_slope == 0:
        step = torch.relu if max_value is None else partial(torch.clamp, min=0.0, max=max_value)
    elif threshold == 0 and max_value is None:
        step = partial(functional.leaky_relu, negative_slope=negative_slope)
    return Layer(shape, activation=Activation("relu", step))


def clipped(x: Tensor, max_value: float | None, negative_slope: float, threshold: float) -> Tensor:
    """`x` from the threshold up, at most `max_value`; below it the distance to the threshold times the slope."""
    passed = x if max_value is None else torch.clamp(x, max=max_value)
    return torch.where(x >= threshold, passed, negative_slope * (x - threshold))


@component("LeakyReLU")
def leaky_relu(shape: Shape, *, alpha: float = 0.3, negative_slope: float | None = None) -> Layer:
    """Passes what is positive, and a part of what is negative.

    Args:
        shape: Keras shape of the input.
        alpha: Slope for negative values.
        negative_slope: The same by the name that Keras 3 gives it; wins over `alpha`.
    """
    slope = alpha if negative_slope is None else negative_slope
    return Layer(shape, activation=Activation("leaky_relu", partial(functional.leaky_relu, negative_slope=slope)))


@component("ELU")
def elu(shape: Shape, *, alpha: float = 1.0) -> Layer:
    """Exponential for negative values.

    Args:
        shape: Keras shape of the input.
        alpha: Minus the limit for large negative values.
    """
    return Layer(shape, activation=Activation("elu", partial(functional.elu, alpha=alpha)))


@component("Softmax")
def softmax(shape: Shape, *, axis: int | list[int] = -1) -> Layer:
    """Positive numbers that sum up to 1.

    Args:
        shape: Keras shape of the input.
        axis: Keras axis, or axes, over which they do; -1 are the channels.
    """
    step: Callable[[Tensor], Tensor]
    if isinstance(axis, int):
        step = partial(torch.softmax, dim=dimension(axis, shape))
    else:
        step = partial(softmax_over, dims=[dimension(one, shape) for one in axis])
    return Layer(shape, activation=Activation("softmax", step))


def softmax_over(x: Tensor, dims: list[int]) -> Tensor:
    """Softmax over several dimensions at once."""
    return torch.exp(x - torch.logsumexp(x, dims, keepdim=True))


@component("Log_Softmax")
def log_softmax(shape: Shape, *, axis: int = -1) -> Layer:
    """The logarithm of a softmax.

    Args:
        shape: Keras shape of the input.
        axis: Keras axis of the softmax; -1 are the channels.
    """
    step = partial(torch.log_softmax, dim=dimension(axis, shape))
    return Layer(shape, activation=Activation("log_softmax", step))


@component("Sigmoid")
def sigmoid(shape: Shape) -> Layer:
    """`1 / (1 + exp(-x))`."""
    return Layer(shape, activation=activations.find("sigmoid"))


@component("Tanh")
def tanh(shape: Shape) -> Layer:
    """The hyperbolic tangent."""
    return Layer(shape, activation=activations.find("tanh"))


@component("Swish")
def swish(shape: Shape) -> Layer:
    """`x` times its sigmoid."""
    return Layer(shape, activation=activations.find("swish"))
