"""U-Nets without a backbone, for images and volumes; Ronneberger et al., 2015, and Çiçek et al., 2016."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from typing import Literal

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count


@component("unet2d")
def unet2d(
    *,
    num_classes: Count = 1,
    input_shape: list[Count | None] = [None, None, 1],
    activation: str = "sigmoid",
    filters: Count = 64,
    depth: Count = 4,
    norm: Literal["batch", "instance", "none"] = "batch",
    decoder: Literal["upsampling", "transpose"] = "transpose",
) -> Graph:
    """The first U-Net, with padding, so that results are as large as images.

    Args:
        num_classes: Channels of the result.
        input_shape: Extents and channels; null for an extent that may vary. Extents are multiples of 2 to the power
            of `depth`.
        activation: Of the result: `sigmoid` for one class or overlapping ones, `softmax` or `log_softmax` for one of
            several, `linear` for quantities.
        filters: Of the first convolutions; each halving of the extents doubles them.
        depth: How often the extents are halved.
        norm: What the convolutions are followed by: a normalization over the batch, over each sample, or none.
        decoder: Whether extents are doubled by repetition or by a transposed convolution.
    """
    return _network("unet2d", 2, num_classes, input_shape, activation, filters, depth, norm, decoder)


@component("unet3d")
def unet3d(
    *,
    num_classes: Count = 1,
    input_shape: list[Count | None] = [None, None, None, 1],
    activation: str = "sigmoid",
    filters: Count = 32,
    depth: Count = 3,
    norm: Literal["batch", "instance", "none"] = "batch",
    decoder: Literal["upsampling", "transpose"] = "transpose",
) -> Graph:
    """U-Net for volumes; keys as in `unet2d`."""
    return _network("unet3d", 3, num_classes, input_shape, activation, filters, depth, norm, decoder)


def _network(
    title: str,
    axes: int,
    num_classes: int,
    input_shape: list[int | None],
    activation: str,
    filters: int,
    depth: int,
    norm: str,
    decoder: str,
) -> Graph:
    net = Draft(title)
    x = net.input(input_shape, multiple=2**depth, axes=axes)
    sides = []
    for level in range(depth):
        x = _convolutions(net, x, filters * 2**level, norm, f"encoder{level}")
        sides.append(x)
        x = net.pool("Max", x, 2, name=f"encoder{level}_pool")
    x = _convolutions(net, x, filters * 2**depth, norm, "center")
    for level in reversed(range(depth)):
        count, name = filters * 2**level, f"decoder{level}"
        if decoder == "transpose":
            x = net.transpose(x, count, 2, initializer="he_normal", name=f"{name}_transpose")
        else:
            x = net.upsampling(x, name=f"{name}_upsampling")
        x = net.concatenate(x, sides[level], name=f"{name}_concat")
        x = _convolutions(net, x, count, norm, name)
    x = net.conv(x, num_classes, 1, name="final_conv")
    return net.graph(net.activation(x, activation, name=activation))


def _convolutions(net: Draft, x: Tensor, filters: int, norm: str, name: str) -> Tensor:
    for part in (f"{name}a", f"{name}b"):
        x = net.conv(
            x, filters, 3, padding="same", use_bias=norm == "none", initializer="he_normal", name=f"{part}_conv"
        )
        if norm == "batch":
            x = net.batch_norm(x, name=f"{part}_bn")
        elif norm == "instance":
            x = net.layer("InstanceNormalization", x, name=f"{part}_in", affine=True, epsilon=1e-5)
        x = net.activation(x, "relu", name=f"{part}_relu")
    return x
