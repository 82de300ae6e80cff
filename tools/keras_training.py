"""Lets Keras take ten steps of gradient descent on three networks, and writes down its losses.

Usage: python tools/keras_training.py

Needs tf_keras and tensorflow (`pip install tf_keras tensorflow-cpu`), which nothing else here does. The losses go to
tests/networks/training.json, with which a test compares those of this program. Weights and batches are drawn by the
functions below, for both sides alike; seeds depend on names, so the order in which anybody draws does not matter.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from rmldnn.networks.writing import write
from rmldnn.networks.zoo.plain_unet import unet2d

RESULT = Path(__file__).parent.parent / "tests" / "networks" / "training.json"
STEPS = 10
LEARNING_RATE = 0.02
MOMENTUM = 0.9
BATCH = 6


def sequence() -> dict[str, Any]:
    """A network with regularizers, a frozen batch norm, recurrent layers and several activations."""
    l1_l2 = {"class_name": "L1L2", "config": {"l1": 0.001, "l2": 0.01}}
    layers: list[tuple[str, dict[str, Any]]] = [
        ("InputLayer", {"name": "in", "batch_input_shape": [None, 12, 5]}),
        ("Conv1D", {"name": "conv", "filters": 8, "kernel_size": 3, "padding": "same", "kernel_regularizer": l1_l2}),
        ("BatchNormalization", {"name": "norm", "momentum": 0.9}),
        ("Activation", {"name": "swish", "activation": "swish"}),
        ("LSTM", {"name": "lstm", "units": 6, "return_sequences": True, "recurrent_regularizer": l1_l2}),
        ("LayerNormalization", {"name": "layer_norm"}),
        ("GRU", {"name": "gru", "units": 7, "reset_after": True}),
        ("BatchNormalization", {"name": "frozen", "trainable": False}),
        ("Dense", {"name": "hidden", "units": 9, "activation": "gelu", "bias_regularizer": l1_l2}),
        ("PReLU", {"name": "prelu"}),
        ("Dense", {"name": "out", "units": 3, "activation": "softmax"}),
    ]
    return chain("sequence", layers)


def separable() -> dict[str, Any]:
    """A network of images with convolutions of each channel by itself, and several kinds of normalization."""
    window = {"kernel_size": 3, "padding": "same"}
    layers: list[tuple[str, dict[str, Any]]] = [
        ("InputLayer", {"name": "in", "batch_input_shape": [None, 20, 20, 3]}),
        ("SeparableConv2D", {"name": "separable", "filters": 8, **window, "strides": 2, "depth_multiplier": 2}),
        ("BatchNormalization", {"name": "norm", "scale": False, "momentum": 0.9}),
        ("ReLU", {"name": "relu", "max_value": 6.0}),
        ("DepthwiseConv2D", {"name": "depthwise", **window, "depthwise_regularizer": "l2"}),
        ("GroupNormalization", {"name": "groups", "groups": 2}),
        ("LeakyReLU", {"name": "leaky"}),
        ("Conv2DTranspose", {"name": "transposed", "filters": 6, **window, "strides": 2}),
        ("MaxPooling2D", {"name": "pool", "pool_size": 3, "strides": 2, "padding": "same"}),
        ("ELU", {"name": "elu"}),
        ("GlobalAveragePooling2D", {"name": "mean"}),
        ("Dense", {"name": "out", "units": 4, "activation": "sigmoid"}),
    ]
    return chain("separable", layers)


def chain(name: str, layers: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Layers one behind the other, as Keras 2 writes them."""
    listed = [{"class_name": kind, "config": config} for kind, config in layers]
    return {"class_name": "Sequential", "config": {"name": name, "layers": listed}, "keras_version": "2.15.0"}


CASES = {
    "sequence": sequence,
    "unet": lambda: write(unet2d(input_shape=[16, 16, 2], filters=4, depth=2)),
    "separable": separable,
}
"""Networks as Keras JSON, by name."""


def drawn(case: str, layer: str, variable: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first value of a weight, float32, in Keras' shape."""
    random = np.random.default_rng(zlib.crc32(f"{case}/{layer}/{variable}".encode()))
    if variable in ("gamma", "moving_variance"):
        return random.uniform(0.7, 1.3, shape).astype(np.float32)
    inputs = float(np.prod(shape[:-1])) if len(shape) > 1 else 100.0
    if variable == "depthwise_kernel":
        inputs = float(np.prod(shape[:-2]))
    return random.normal(0.0, inputs**-0.5, shape).astype(np.float32)


def batch(case: str, step: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a step, float32, channels last; shapes are those of one sample."""
    random = np.random.default_rng((zlib.crc32(case.encode()), step))
    inputs, targets = (random.uniform(0.0, 1.0, (BATCH, *shape)).astype(np.float32) for shape in shapes)
    return inputs, targets


def losses(case: str) -> list[float]:
    """Keras' mean squared errors, penalties included, before each of the steps."""
    import tf_keras

    model = tf_keras.models.model_from_json(json.dumps(CASES[case]()))
    for layer in model.layers:
        layer.set_weights(
            [
                drawn(case, layer.name, weight.name.split("/")[-1].split(":")[0], tuple(weight.shape))
                for weight in layer.weights
            ]
        )
    model.compile(tf_keras.optimizers.legacy.SGD(LEARNING_RATE, momentum=MOMENTUM), "mse")
    shapes = (model.input_shape[1:], model.output_shape[1:])
    return [float(model.train_on_batch(*batch(case, step, shapes))) for step in range(STEPS)]


def main() -> None:
    """Writes the losses of all cases."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    RESULT.write_text(json.dumps({case: losses(case) for case in CASES}, indent=1) + "\n", encoding="utf-8")
    print(RESULT)


if __name__ == "__main__":
    main()
