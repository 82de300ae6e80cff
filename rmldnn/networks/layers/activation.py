"""Activations that are layers of their own, with keys of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Activation, Layer, Shape
from rmldnn.networks.layout import dimension, size, tensor_shape
from rmldnn.networks.variable import Variable
from rmldnn.types import NonNegative


@component("ReLU")
def relu(
    shape: Shape,
    *,
    max_value: NonNegative | None = None,
    negative_slope: NonNegative = 0.0,
    threshold: NonNegative = 0.0,
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
    """`x` above the threshold, at most `max_value`; up to it the distance to the threshold times the slope."""
    passed = x if max_value is None else torch.clamp(x, max=max_value)
    return torch.where(x > threshold, passed, negative_slope * (x - threshold))


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


class PReLU(nn.Module):
    """Passes what is positive, and a learnt part of what is negative.

    Args:
        extents: Shape of the slopes, which stand for all places along axes of extent 1.
    """

    def __init__(self, *extents: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(extents))

    def forward(self, x: Tensor) -> Tensor:
        """Applies it to a tensor (N, C, *spatial)."""
        return torch.where(x > 0, x, self.weight * x)


@component("PReLU")
def prelu(
    shape: Shape,
    *,
    alpha_initializer: str | dict[str, Any] | None = "zeros",
    shared_axes: int | list[int] | None = None,
) -> Layer:
    """Passes what is positive, and a learnt part of what is negative.

    Args:
        shape: Keras shape of the input.
        alpha_initializer: Initial slopes for negative values.
        shared_axes: Keras axes along which all places have one slope; none if not given.
    """
    listed = [shared_axes] if isinstance(shared_axes, int) else shared_axes or []
    shared = {dimension(axis, shape, "shared_axes") for axis in listed}
    extents = [1 if dimension(axis, shape) in shared else shape[axis - 1] for axis in range(1, len(shape) + 1)]
    known = tuple(extent for extent in extents if extent is not None)
    if len(known) < len(extents):
        raise NetworkError(
            f"has a slope for every place of its input of {size(shape)}, whose extents are not all fixed; "
            f"give the input a full `batch_input_shape`, or add {extents.index(None) + 1} to `shared_axes`"
        )
    order = tensor_shape(tuple(range(len(known))))
    variable = Variable("alpha", "weight", known, order, alpha_initializer or "zeros")  # type: ignore[arg-type]
    module: nn.Module
    if math.prod(known[:-1]) == 1 and len(known) > 1:
        module = initialized(nn.PReLU, known[-1], variables=[variable])
    else:
        module = initialized(PReLU, *(tensor_shape(known)), variables=[variable])
    return Layer(shape, (module,), variables=(variable,))


@component("ThresholdedReLU")
def thresholded_relu(shape: Shape, *, theta: NonNegative = 1.0) -> Layer:
    """Passes what is above a threshold, and makes the rest 0.

    Args:
        shape: Keras shape of the input.
        theta: The threshold.
    """
    return Layer(shape, activation=Activation("relu", partial(functional.threshold, threshold=theta, value=0.0)))


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
        step = partial(activations.softmax, dim=dimension(axis, shape))
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
    step = partial(activations.log_softmax, dim=dimension(axis, shape))
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
