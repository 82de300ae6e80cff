"""Inception; Szegedy et al., 2015, third version, as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Extents, Tensor
from rmldnn.types import Count


@component("inceptionv3")
def inceptionv3(
    *, num_classes: Count = 1000, input_shape: list[Count | None] = [299, 299, 3], activation: str = "softmax"
) -> Graph:
    """InceptionV3: branches of convolutions of several sizes.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
    """
    net = Draft("inception_v3")
    x = net.global_average(body(net, net.input(input_shape, minimum=75)), name="avg_pool")
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))


def body(net: Draft, x: Tensor, *, padding: str = "valid") -> Tensor:
    """Everything up to the classifier.

    Args:
        net: Where it goes.
        x: Images.
        padding: Of the layers that shrink the images; with `same` they halve them exactly, for segmentation.
    """
    x = _chain(net, x, (32, 3), strides=2, padding=padding)
    x = _chain(net, x, (32, 3), padding=padding)
    x = net.pool("Max", _chain(net, x, (64, 3)), 3, 2, padding)
    x = _chain(net, x, (80, 1), padding=padding)
    x = net.pool("Max", _chain(net, x, (192, 3), padding=padding), 3, 2, padding)

    for number, filters in enumerate((32, 64, 64)):
        x = net.concatenate(
            _chain(net, x, (64, 1)),
            _chain(net, x, (48, 1), (64, 5)),
            _chain(net, x, (64, 1), (96, 3), (96, 3)),
            _pooled(net, x, filters),
            name=f"mixed{number}",
        )
    x = net.concatenate(
        _chain(net, x, (384, 3), strides=2, padding=padding),
        _chain(net, x, (64, 1), (96, 3), (96, 3), strides=2, padding=padding),
        net.pool("Max", x, 3, 2, padding),
        name="mixed3",
    )
    for number, inner in enumerate((128, 160, 160, 192), 4):
        x = net.concatenate(
            _chain(net, x, (192, 1)),
            _chain(net, x, (inner, 1), (inner, (1, 7)), (192, (7, 1))),
            _chain(net, x, (inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1)), (192, (1, 7))),
            _pooled(net, x, 192),
            name=f"mixed{number}",
        )
    x = net.concatenate(
        _chain(net, x, (192, 1), (320, 3), strides=2, padding=padding),
        _chain(net, x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), strides=2, padding=padding),
        net.pool("Max", x, 3, 2, padding),
        name="mixed8",
    )
    for number in range(2):
        single = _chain(net, x, (320, 1))
        double = _forked(net, _chain(net, x, (384, 1)), f"mixed9_{number}")
        triple = _forked(net, _chain(net, x, (448, 1), (384, 3)), "")
        x = net.concatenate(single, double, triple, _pooled(net, x, 192), name=f"mixed{9 + number}")
    return x


def _chain(
    net: Draft, x: Tensor, *convolutions: tuple[int, Extents], strides: int = 1, padding: str = "same"
) -> Tensor:
    """Convolutions (filters, kernel) one after the other; strides and padding are those of the last one."""
    for number, (filters, kernel) in enumerate(convolutions, 1):
        last = number == len(convolutions)
        x = net.conv(x, filters, kernel, strides if last else 1, padding if last else "same", use_bias=False)
        x = net.activation(net.batch_norm(x, scale=False), "relu")
    return x


def _pooled(net: Draft, x: Tensor, filters: int) -> Tensor:
    return _chain(net, net.pool("Average", x, 3, 1, "same"), (filters, 1))


def _forked(net: Draft, x: Tensor, name: str) -> Tensor:
    return net.concatenate(_chain(net, x, (384, (1, 3))), _chain(net, x, (384, (3, 1))), name=name)
