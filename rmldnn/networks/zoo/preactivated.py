"""Residual networks whose first layer normalizes the images, as in `classification_models`.

`segmentation_models` takes all its residual networks from there; only the two small ones are components of their own,
since users who say ResNet-50 mean that of Keras.
"""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo import resnet
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), **resnet.DEPTHS}
"""Units of each stage."""


@component("resnet18")
def resnet18(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 18 layers with weights, which normalizes before it convolves.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    return _network(18, num_classes, input_shape, activation)


@component("resnet34")
def resnet34(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 34 layers with weights; keys as in `resnet18`."""
    return _network(34, num_classes, input_shape, activation)


def body(net: Draft, x: Tensor, *, depth: int) -> Tensor:
    """Units of two 3x3 convolutions up to 34 layers; of 1x1, 3x3 and 1x1 ones beyond."""
    x = net.batch_norm(x, epsilon=2e-5, scale=False, name="bn_data")
    x = _conv(net, net.zero_padding(x, 3), 64, 7, 2, name="conv0")
    x = _norm_relu(net, x, "", "0")
    x = net.pool("Max", net.zero_padding(x, 1), 3, 2, name="pooling0")
    unit = _unit if depth < 50 else _bottleneck
    for stage, units in enumerate(DEPTHS[depth]):
        for number in range(units):
            stride = 2 if number == 0 and stage > 0 else 1
            x = unit(net, x, 64 * 2**stage, stride, project=number == 0, name=f"stage{stage + 1}_unit{number + 1}_")
    return _norm_relu(net, x, "", "1")


def _network(depth: int, num_classes: int, input_shape: list[int | None], activation: str) -> Graph:
    net = Draft(f"resnet{depth}")
    x = body(net, net.input(input_shape, minimum=32, name="data"), depth=depth)
    x = net.dense(net.global_average(x, name="pool1"), num_classes, name="fc1")
    return net.graph(net.activation(x, activation, name=activation))


def _unit(net: Draft, x: Tensor, filters: int, stride: int, *, project: bool, name: str) -> Tensor:
    active = _norm_relu(net, x, name, "1")
    side = _conv(net, active, filters, 1, stride, name=f"{name}sc") if project else x
    x = _conv(net, net.zero_padding(active, 1), filters, 3, stride, name=f"{name}conv1")
    x = _norm_relu(net, x, name, "2")
    return net.add(_conv(net, net.zero_padding(x, 1), filters, 3, name=f"{name}conv2"), side)


def _bottleneck(net: Draft, x: Tensor, filters: int, stride: int, *, project: bool, name: str) -> Tensor:
    active = _norm_relu(net, x, name, "1")
    side = _conv(net, active, 4 * filters, 1, stride, name=f"{name}sc") if project else x
    x = _norm_relu(net, _conv(net, active, filters, 1, name=f"{name}conv1"), name, "2")
    x = _conv(net, net.zero_padding(x, 1), filters, 3, stride, name=f"{name}conv2")
    x = _norm_relu(net, x, name, "3")
    return net.add(_conv(net, x, 4 * filters, 1, name=f"{name}conv3"), side)


def _conv(net: Draft, x: Tensor, filters: int, kernel: int, stride: int = 1, *, name: str) -> Tensor:
    return net.conv(x, filters, kernel, stride, use_bias=False, initializer="he_uniform", name=name)


def _norm_relu(net: Draft, x: Tensor, name: str, number: str) -> Tensor:
    return net.activation(net.batch_norm(x, epsilon=2e-5, name=f"{name}bn{number}"), "relu", name=f"{name}relu{number}")
