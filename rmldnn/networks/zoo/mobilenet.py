"""Networks for small machines; Howard et al., 2017, and Sandler et al., 2018, as in `keras.applications`."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from rmldnn.component import component
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count, Positive

BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of the second version: expansion, filters, repetitions, stride of the first."""


@component("mobilenet")
def mobilenet(
    *,
    num_classes: Count = 1000,
    input_shape: list[Count | None] = [224, 224, 3],
    activation: str = "softmax",
    alpha: Positive = 1.0,
) -> Graph:
    """MobileNet: convolutions of each channel by itself, then over the channels.

    Args:
        num_classes: Units of the last layer.
        input_shape: Height, width and channels; null for an extent that may vary.
        activation: Of the last layer; `log_softmax` goes with the loss `NLL`.
        alpha: Width: what all numbers of filters are multiplied by.
    """
    if int(32 * alpha) < 1:
        raise NetworkError(Problem("alpha", f"leaves no filters of 32, got {alpha}; give at least {1 / 32}"))
    net = Draft(f"mobilenet_{alpha:0.2f}_{input_shape[0]}")
    x = body(net, net.input(input_shape, minimum=32), alpha=alpha)
    x = net.layer("Dropout", net.global_average(x, keepdims=True), name="dropout", rate=1e-3)
    x = net.conv(x, num_classes, 1, padding="same", name="conv_preds")
    x = net.layer("Reshape", x, (num_classes,), "reshape_2", target_shape=[num_classes])
    return net.graph(net.activation(x, activation, name="predictions"))


@component("mobilenetv2")
def mobilenetv2(
    *,
    num_classes: Count = 1000,
    input_shape: list[Count | None] = [224, 224, 3],
    activation: str = "softmax",
    alpha: Positive = 1.0,
) -> Graph:
    """MobileNetV2: residual blocks that are wide inside; keys as in `mobilenet`."""
    net = Draft(f"mobilenetv2_{alpha:0.2f}_{input_shape[0]}")
    x = net.global_average(body_v2(net, net.input(input_shape, minimum=32), alpha=alpha))
    return net.graph(net.dense(x, num_classes, activation, name="predictions"))


def body(net: Draft, x: Tensor, *, alpha: float = 1.0, padded: bool = False) -> Tensor:
    """Everything up to the classifier.

    Args:
        net: Where it goes.
        x: Images.
        alpha: Width.
        padded: Whether the first convolution gets its zeros from a layer of its own, as in older Keras.
    """
    x = _first(net, x, int(32 * alpha), [(0, 1), (0, 1)] if padded else None, name="conv1")
    x = _relu6(net, net.batch_norm(x, name="conv1_bn"), "conv1_relu")
    for number, filters in enumerate((64, 128, 128, 256, 256, *[512] * 6, 1024, 1024), 1):
        stride = 2 if number in (2, 4, 6, 12) else 1
        if stride == 2:
            x = net.zero_padding(x, [(0, 1), (0, 1)], name=f"conv_pad_{number}")
        x = net.depthwise(x, 3, stride, "same" if stride == 1 else "valid", name=f"conv_dw_{number}")
        x = _relu6(net, net.batch_norm(x, name=f"conv_dw_{number}_bn"), f"conv_dw_{number}_relu")
        x = net.conv(x, int(filters * alpha), 1, padding="same", use_bias=False, name=f"conv_pw_{number}")
        x = _relu6(net, net.batch_norm(x, name=f"conv_pw_{number}_bn"), f"conv_pw_{number}_relu")
    return x


def body_v2(net: Draft, x: Tensor, *, alpha: float = 1.0, padded: bool = False) -> Tensor:
    """Everything up to the classifier; arguments as in `body`."""
    x = _first(net, x, _by_eight(32 * alpha), _halving(x) if padded else None, name="Conv1")
    x = _relu6(net, _norm(net, x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for expansion, filters, repetitions, first_stride in BLOCKS:
        for repetition in range(repetitions):
            stride = first_stride if repetition == 0 else 1
            x = _block(net, x, expansion, _by_eight(int(filters * alpha)), stride, number)
            number += 1
    x = net.conv(x, _by_eight(1280 * max(alpha, 1.0)), 1, use_bias=False, name="Conv_1")
    return _relu6(net, _norm(net, x, "Conv_1_bn"), "out_relu")


def _block(net: Draft, x: Tensor, expansion: int, filters: int, stride: int, number: int) -> Tensor:
    name = f"block_{number}" if number else "expanded_conv"
    entry = x
    if number:
        x = net.conv(x, expansion * x.channels, 1, padding="same", use_bias=False, name=f"{name}_expand")
        x = _relu6(net, _norm(net, x, f"{name}_expand_BN"), f"{name}_expand_relu")
    if stride == 2:
        x = net.zero_padding(x, _halving(x), name=f"{name}_pad")
    x = net.depthwise(x, 3, stride, "same" if stride == 1 else "valid", name=f"{name}_depthwise")
    x = _relu6(net, _norm(net, x, f"{name}_depthwise_BN"), f"{name}_depthwise_relu")
    x = net.conv(x, filters, 1, padding="same", use_bias=False, name=f"{name}_project")
    x = _norm(net, x, f"{name}_project_BN")
    return net.add(entry, x, name=f"{name}_add") if stride == 1 and entry.channels == filters else x


def _first(net: Draft, x: Tensor, filters: int, sides: list[tuple[int, int]] | None, *, name: str) -> Tensor:
    if sides is None:
        return net.conv(x, filters, 3, 2, padding="same", use_bias=False, name=name)
    return net.conv(net.zero_padding(x, sides, name=f"{name}_pad"), filters, 3, 2, use_bias=False, name=name)


def _halving(x: Tensor) -> list[tuple[int, int]]:
    """The zeros with which a 3x3 window of stride 2 gives half the extents, rounded up."""
    return [((extent or 0) % 2, 1) for extent in x.spatial]


def _by_eight(filters: float) -> int:
    """The nearest multiple of 8 that takes away no more than a tenth."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near if near >= 0.9 * filters else near + 8


def _norm(net: Draft, x: Tensor, name: str) -> Tensor:
    return net.batch_norm(x, momentum=0.999, name=name)


def _relu6(net: Draft, x: Tensor, name: str) -> Tensor:
    return net.layer("ReLU", x, name=name, max_value=6.0)
