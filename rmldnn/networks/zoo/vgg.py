"""VGG; Simonyan and Zisserman, 2014, as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count

VGG16 = (2, 2, 3, 3, 3)
VGG19 = (2, 2, 4, 4, 4)
"""Convolutions of each block."""


@component("vgg16")
def vgg16(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """16 layers with weights, three of them fully connected: all extents must be known.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    return _network("vgg16", VGG16, num_classes, input_shape, activation)


@component("vgg19")
def vgg19(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [224, 224, 3], activation: str = "softmax"
) -> Graph:
    """19 layers with weights; keys as in `vgg16`."""
    return _network("vgg19", VGG19, num_classes, input_shape, activation)


def body(net: Draft, x: Tensor, *, depths: tuple[int, ...]) -> Tensor:
    """Five blocks of convolutions, each halving the extents."""
    for block, (depth, filters) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True), 1):
        for number in range(1, depth + 1):
            x = net.conv(x, filters, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")
        x = net.pool("Max", x, 2, name=f"block{block}_pool")
    return x


def _network(
    title: str, depths: tuple[int, ...], num_classes: int, input_shape: list[int | None], activation: str
) -> Graph:
    net = Draft(title)
    x = body(net, net.input(input_shape, minimum=32), depths=depths)
    if None in x.shape:
        raise NetworkError(
            Problem(
                "input_shape",
                f"{title} ends in layers that take images of one size only, got {show(input_shape)}; give height and "
                "width, such as [224, 224, 3]",
            )
        )
    x = net.flatten(x, name="flatten")
    x = net.dense(x, 4096, "relu", name="fc1")
    x = net.dense(x, 4096, "relu", name="fc2")
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))
