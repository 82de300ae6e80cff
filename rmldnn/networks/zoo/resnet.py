"""Residual networks; He et al., 2015 and 2016 (v2), as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from functools import partial

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count

EPSILON = 1.001e-5
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Blocks of each stack."""


@component("resnet50")
def resnet50(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 50 layers with weights.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    return _network(50, num_classes, input_shape, activation)


@component("resnet101")
def resnet101(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 101 layers with weights; keys as in `resnet50`."""
    return _network(101, num_classes, input_shape, activation)


@component("resnet152")
def resnet152(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 152 layers with weights; keys as in `resnet50`."""
    return _network(152, num_classes, input_shape, activation)


@component("resnet50v2")
def resnet50v2(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 50 layers that normalizes before it convolves; keys as in `resnet50`."""
    return _network(50, num_classes, input_shape, activation, v2=True)


@component("resnet101v2")
def resnet101v2(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 101 layers that normalizes before it convolves; keys as in `resnet50`."""
    return _network(101, num_classes, input_shape, activation, v2=True)


@component("resnet152v2")
def resnet152v2(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Residual network of 152 layers that normalizes before it convolves; keys as in `resnet50`."""
    return _network(152, num_classes, input_shape, activation, v2=True)


def body(net: Draft, x: Tensor, *, depth: int) -> Tensor:
    """The first version: convolution, normalization, activation."""
    x = net.conv(net.zero_padding(x, 3, name="conv1_pad"), 64, 7, 2, name="conv1_conv")
    x = _norm_relu(net, x, "conv1")
    x = net.pool("Max", net.zero_padding(x, 1, name="pool1_pad"), 3, 2, name="pool1_pool")
    for stack, blocks in enumerate(DEPTHS[depth], 2):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stack > 2 else 1
            x = _block(net, x, 16 * 2**stack, stride, shortcut=block == 1, name=f"conv{stack}_block{block}")
    return x


def body_v2(net: Draft, x: Tensor, *, depth: int) -> Tensor:
    """The second version: normalization, activation, convolution; the last block of a stack halves the extents."""
    x = net.conv(net.zero_padding(x, 3, name="conv1_pad"), 64, 7, 2, name="conv1_conv")
    x = net.pool("Max", net.zero_padding(x, 1, name="pool1_pad"), 3, 2, name="pool1_pool")
    for stack, blocks in enumerate(DEPTHS[depth], 2):
        for block in range(1, blocks + 1):
            stride = 2 if block == blocks and stack < 5 else 1
            x = _block_v2(net, x, 16 * 2**stack, stride, shortcut=block == 1, name=f"conv{stack}_block{block}")
    return _norm_relu(net, x, "post")


def _network(
    depth: int, num_classes: int, input_shape: list[int | None], activation: str, *, v2: bool = False
) -> Graph:
    net = Draft(f"resnet{depth}{'v2' if v2 else ''}")
    x = (body_v2 if v2 else body)(net, net.input(input_shape, minimum=32), depth=depth)
    x = net.global_average(x, name="avg_pool")
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))


def _norm_relu(net: Draft, x: Tensor, name: str) -> Tensor:
    return net.activation(net.batch_norm(x, epsilon=EPSILON, name=f"{name}_bn"), "relu", name=f"{name}_relu")


def _block(net: Draft, x: Tensor, filters: int, stride: int, *, shortcut: bool, name: str) -> Tensor:
    norm = partial(net.batch_norm, epsilon=EPSILON)
    side = x
    if shortcut:
        side = norm(net.conv(x, 4 * filters, 1, stride, name=f"{name}_0_conv"), name=f"{name}_0_bn")
    x = _norm_relu(net, net.conv(x, filters, 1, stride, name=f"{name}_1_conv"), f"{name}_1")
    x = _norm_relu(net, net.conv(x, filters, 3, padding="same", name=f"{name}_2_conv"), f"{name}_2")
    x = norm(net.conv(x, 4 * filters, 1, name=f"{name}_3_conv"), name=f"{name}_3_bn")
    return net.activation(net.add(side, x, name=f"{name}_add"), "relu", name=f"{name}_out")


def _block_v2(net: Draft, x: Tensor, filters: int, stride: int, *, shortcut: bool, name: str) -> Tensor:
    active = _norm_relu(net, x, f"{name}_preact")
    side = x
    if shortcut:
        side = net.conv(active, 4 * filters, 1, stride, name=f"{name}_0_conv")
    elif stride > 1:
        side = net.pool("Max", x, 1, stride)
    x = _norm_relu(net, net.conv(active, filters, 1, use_bias=False, name=f"{name}_1_conv"), f"{name}_1")
    x = net.zero_padding(x, 1, name=f"{name}_2_pad")
    x = _norm_relu(net, net.conv(x, filters, 3, stride, use_bias=False, name=f"{name}_2_conv"), f"{name}_2")
    return net.add(side, net.conv(x, 4 * filters, 1, name=f"{name}_3_conv"), name=f"{name}_out")
