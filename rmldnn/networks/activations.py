"""Activations by the names that Keras gives them, for the key `activation` of any layer.

Adding one is adding a line. Those that work along an axis work along Keras' last one, the channels.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.component import near_miss
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import LINEAR, Activation, Step
from rmldnn.networks.layout import CHANNELS


def hard_sigmoid_of_keras_2(x: Tensor) -> Tensor:
    """`clip(0.2 x + 0.5, 0, 1)`; Keras 3 gave the name to a slope of 1/6."""
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


STEPS: dict[str, Step] = {
    "celu": functional.celu,
    "elu": functional.elu,
    "exponential": torch.exp,
    "gelu": functional.gelu,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_sigmoid_of_keras_2": hard_sigmoid_of_keras_2,
    "hard_silu": functional.hardswish,
    "leaky_relu": partial(functional.leaky_relu, negative_slope=0.2),
    "log_sigmoid": functional.logsigmoid,
    "log_softmax": partial(torch.log_softmax, dim=CHANNELS),
    "mish": functional.mish,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "selu": torch.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softmax": partial(torch.softmax, dim=CHANNELS),
    # torch calls everything above 20 linear, which float64 notices
    "softplus": partial(functional.softplus, threshold=40.0),
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}

ALIASES = {
    "hard_swish": "hard_silu",
    "log_softmax_v2": "log_softmax",
    "swish": "silu",
}


def find(name: str | None) -> Activation:
    """The activation of this name, matched without regard to case; null and `linear` do nothing.

    Raises:
        NetworkError: There is none, with a near miss.
    """
    key = (name or "linear").lower()
    key = ALIASES.get(key, key)
    if key == "linear":
        return LINEAR
    if key not in STEPS:
        raise NetworkError(f"unknown activation `{name}`{near_miss(key, [*STEPS, *ALIASES, 'linear'])}")
    return Activation(key, STEPS[key])
