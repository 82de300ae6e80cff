"""Activations by the names that Keras gives them, for the key `activation` of any layer.

Adding one is adding a line. Those that work along an axis work along Keras' last one, the channels.

Those that give probabilities, or logarithms of them, do so in 32 bits where layers compute with 16: behind them come
logarithms, whose slopes 16 bits cannot hold. Torch's autocast does the same on GPUs, though not for the sigmoids.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks.keras import OF_KERAS_2
from rmldnn.networks.layer import LINEAR, Activation, Shape, Step
from rmldnn.networks.layout import CHANNELS
from rmldnn.networks.making import made

_16_BITS = (torch.float16, torch.bfloat16)


def sigmoid(x: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return torch.sigmoid(_widened(x))


def log_sigmoid(x: Tensor) -> Tensor:
    """The logarithm of the sigmoid."""
    return functional.logsigmoid(_widened(x))


def softmax(x: Tensor, dim: int) -> Tensor:
    """Positive numbers that sum up to 1 along a dimension."""
    return torch.softmax(_widened(x), dim)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """The logarithm of the softmax."""
    return torch.log_softmax(_widened(x), dim)


def _widened(x: Tensor) -> Tensor:
    return x.float() if x.dtype in _16_BITS and torch.is_autocast_enabled(x.device.type) else x


def hard_sigmoid_of_keras_2(x: Tensor) -> Tensor:
    """`clip(0.2 x + 0.5, 0, 1)`; Keras 3 gave the name to a slope of 1/6."""
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


def sparse_plus(x: Tensor) -> Tensor:
    """0 up to -1, `x` from 1, and the parabola that joins them between."""
    return torch.where(x >= 1, x, torch.clamp(x + 1, min=0).square() / 4)


def sparse_sigmoid(x: Tensor) -> Tensor:
    """`clip((x + 1) / 2, 0, 1)`."""
    return torch.clamp(0.5 * (x + 1), 0.0, 1.0)


def squareplus(x: Tensor) -> Tensor:
    """`(x + sqrt(x^2 + 4)) / 2`."""
    return (x + torch.sqrt(x.square() + 4)) / 2


def sparsemax(x: Tensor, dim: int) -> Tensor:
    """A softmax with zeros, as Keras 3 has it.

    Martins and Astudillo, 2016, subtract from all elements what makes the positive rest sum up to 1. Keras takes for
    it the sum of all partial sums of the largest elements where they have the last one, so its results are smaller.
    """
    falling = torch.sort(x, dim, descending=True).values
    sums = torch.cumsum(falling, dim)
    extents = [-1 if one == dim else 1 for one in range(x.dim())]
    numbers = torch.arange(1, x.shape[dim] + 1, dtype=x.dtype, device=x.device).view(extents)
    support = falling - (sums - 1) / numbers > 0
    count = support.sum(dim, keepdim=True)
    return torch.relu(x - (torch.where(support, sums, 0.0).sum(dim, keepdim=True) - 1) / count)


STEPS: dict[str, Step] = {
    "celu": functional.celu,
    "elu": functional.elu,
    "exponential": torch.exp,
    "gelu": functional.gelu,
    "glu": partial(functional.glu, dim=CHANNELS),
    "hard_shrink": functional.hardshrink,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_sigmoid_of_keras_2": hard_sigmoid_of_keras_2,
    "hard_silu": functional.hardswish,
    "hard_tanh": functional.hardtanh,
    "leaky_relu": partial(functional.leaky_relu, negative_slope=0.2),
    "log_sigmoid": log_sigmoid,
    "log_softmax": partial(log_softmax, dim=CHANNELS),
    "mish": functional.mish,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "selu": torch.selu,
    "sigmoid": sigmoid,
    "silu": functional.silu,
    "soft_shrink": functional.softshrink,
    "softmax": partial(softmax, dim=CHANNELS),
    # torch calls everything above 20 linear, which float64 notices
    "softplus": partial(functional.softplus, threshold=40.0),
    "softsign": functional.softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": partial(sparsemax, dim=CHANNELS),
    "squareplus": squareplus,
    "tanh": torch.tanh,
    "tanh_shrink": functional.tanhshrink,
}

ALIASES = {
    "hard_swish": "hard_silu",
    "log_softmax_v2": "log_softmax",
    "softmax_v2": "softmax",
    "swish": "silu",
}


HALVING = "glu"
"""The one activation whose result has half as many channels."""


def find(
    choice: str | Mapping[str, Any] | None, shape: Shape | None = None, keras: int = 2, *, halving: bool = False
) -> Activation:
    """The activation that the key of a layer asks for.

    Args:
        choice: A name, matched without regard to case; null and `linear` do nothing. Or an object, as Keras writes
            activations that are layers, `{"class_name": "LeakyReLU", "config": {...}}`, or functions,
            `{"class_name": "function", "config": "relu"}`.
        shape: Keras shape of what it is applied to; without it, an object may name no axis but the last.
        keras: The generation of Keras that wrote an object.
        halving: Whether the result may have half as many channels.

    Raises:
        NetworkError: There is none, with a near miss, or the object is a layer with weights.
    """
    match choice:
        case {"class_name": "function", "config": str(name)} | {"class_name": "function", "registered_name": str(name)}:
            choice = OF_KERAS_2 if keras == 2 and name == "hard_sigmoid" else name
        case {"class_name": str(name), "config": Mapping() as config}:
            return _layer(name, config, shape, keras)
        case Mapping():
            raise NetworkError(f"an activation is a name or an object with `class_name`, got {show(choice)}")
    key = str(choice or "linear").lower()
    key = ALIASES.get(key, key)
    if key == "linear":
        return LINEAR
    if key not in STEPS:
        raise NetworkError(f"unknown activation `{choice}`{near_miss(key, [*STEPS, *ALIASES, 'linear'])}")
    if key == HALVING and not halving:
        raise NetworkError(f"`{key}` halves the channels; apply it in an `Activation` layer of its own")
    return Activation(key, STEPS[key])


def _layer(name: str, config: Mapping[str, Any], shape: Shape | None, keras: int) -> Activation:
    """The activation of a layer that is nothing else."""
    if shape is None and config.get("axis", -1) not in (-1, [-1]):
        raise NetworkError(f"the axis of its activation `{name}` must be -1; put `{name}` behind as a layer of its own")
    layer = made({"class_name": name, "config": config}, [shape or (None,)], keras)
    if layer.steps or layer.others:
        raise NetworkError(f"`{name}` cannot be the activation of another layer; put it behind as a layer of its own")
    return layer.activation
