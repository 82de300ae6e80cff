"""Xception; Chollet, 2016, as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count


@component("xception")
def xception(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [299, 299, 3], activation: str = "softmax"
) -> Graph:
    """Xception: residual blocks of separable convolutions.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    net = Draft("xception")
    x = net.global_average(body(net, net.input(input_shape, minimum=71)), name="avg_pool")
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))


def body(net: Draft, x: Tensor, *, padding: str = "valid") -> Tensor:
    """Everything up to the classifier.

    Args:
        net: Where it goes.
        x: Images.
        padding: Of the first two convolutions; with `same` all extents are halved exactly, for segmentation.
    """
    for name, filters, stride in (("block1_conv1", 32, 2), ("block1_conv2", 64, 1)):
        x = net.conv(x, filters, 3, stride, padding, use_bias=False, name=name)
        x = net.activation(net.batch_norm(x, name=f"{name}_bn"), "relu", name=f"{name}_act")
    for block, filters in ((2, 128), (3, 256), (4, 728)):
        x = _shrinking(net, x, filters, filters, f"block{block}")
    for block in range(5, 13):
        side = x
        for number in (1, 2, 3):
            x = _active_separable(net, x, 728, f"block{block}_sepconv{number}")
        x = net.add(x, side)
    x = _shrinking(net, x, 728, 1024, "block13")
    for number, filters in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{number}"
        x = net.activation(_separable(net, x, filters, name), "relu", name=f"{name}_act")
    return x


def _shrinking(net: Draft, x: Tensor, inner: int, filters: int, name: str) -> Tensor:
    side = net.batch_norm(net.conv(x, filters, 1, 2, "same", use_bias=False))
    first = _separable if name == "block2" else _active_separable  # block 1 ends in an activation already
    x = first(net, x, inner, f"{name}_sepconv1")
    x = _active_separable(net, x, filters, f"{name}_sepconv2")
    return net.add(net.pool("Max", x, 3, 2, "same", name=f"{name}_pool"), side)


def _active_separable(net: Draft, x: Tensor, filters: int, name: str) -> Tensor:
    return _separable(net, net.activation(x, "relu", name=f"{name}_act"), filters, name)


def _separable(net: Draft, x: Tensor, filters: int, name: str) -> Tensor:
    return net.batch_norm(net.separable(x, filters, 3, name=name), name=f"{name}_bn")
