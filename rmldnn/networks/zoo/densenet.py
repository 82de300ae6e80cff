"""Densely connected networks; Huang et al., 2016, as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count

DEPTHS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""Layers of each dense block."""
GROWTH = 32


@component("densenet121")
def densenet121(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Densely connected network of 121 layers with weights: each takes the results of all before it.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    return _network(121, num_classes, input_shape, activation)


@component("densenet169")
def densenet169(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Densely connected network of 169 layers with weights; keys as in `densenet121`."""
    return _network(169, num_classes, input_shape, activation)


@component("densenet201")
def densenet201(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """Densely connected network of 201 layers with weights; keys as in `densenet121`."""
    return _network(201, num_classes, input_shape, activation)


def body(net: Draft, x: Tensor, *, depth: int) -> Tensor:
    """Four dense blocks, between which extents and channels are halved."""
    x = net.conv(net.zero_padding(x, 3), 64, 7, 2, use_bias=False, name="conv1/conv")
    x = _norm_relu(net, x, "conv1/bn", "conv1/relu")
    x = net.pool("Max", net.zero_padding(x, 1), 3, 2, name="pool1")
    for block, layers in enumerate(DEPTHS[depth], 2):
        if block > 2:
            x = _transition(net, x, f"pool{block - 1}")
        for layer in range(1, layers + 1):
            x = _layer(net, x, f"conv{block}_block{layer}")
    return _norm_relu(net, x, "bn", "relu")


def _network(depth: int, num_classes: int, input_shape: list[int | None], activation: str) -> Graph:
    net = Draft(f"densenet{depth}")
    x = net.global_average(body(net, net.input(input_shape, minimum=32), depth=depth), name="avg_pool")
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))


def _layer(net: Draft, x: Tensor, name: str) -> Tensor:
    new = _norm_relu(net, x, f"{name}_0_bn", f"{name}_0_relu")
    new = net.conv(new, 4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")
    new = _norm_relu(net, new, f"{name}_1_bn", f"{name}_1_relu")
    new = net.conv(new, GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")
    return net.concatenate(x, new, name=f"{name}_concat")


def _transition(net: Draft, x: Tensor, name: str) -> Tensor:
    x = _norm_relu(net, x, f"{name}_bn", f"{name}_relu")
    x = net.conv(x, x.channels // 2, 1, use_bias=False, name=f"{name}_conv")
    return net.pool("Average", x, 2, name=f"{name}_pool")


def _norm_relu(net: Draft, x: Tensor, norm: str, relu: str) -> Tensor:
    return net.activation(net.batch_norm(x, epsilon=1.001e-5, name=norm), "relu", name=relu)
