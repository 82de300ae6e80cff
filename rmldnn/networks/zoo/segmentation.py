"""Encoders and decoders for segmentation, as in `segmentation_models` (qubvel), version 1.0.1.

Input extents are null by default: the networks take images of any size that is a multiple of 32.
"""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from functools import partial
from typing import Literal

from rmldnn.component import component, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.backbones import BACKBONES
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Backbone, Count, Fraction


@component("unet")
def unet(
    *,
    backbone: Backbone = "vgg16",
    num_classes: Count = 1,
    input_shape: list[Count | None] = [None, None, 3],
    activation: str = "sigmoid",
    filters: list[Count] = [256, 128, 64, 32, 16],
    decoder: Literal["upsampling", "transpose"] = "upsampling",
    batch_norm: bool = True,
) -> Graph:  # fmt: skip
    """U-Net: at each scale the decoder goes on from the encoder's features and its own; Ronneberger et al., 2015.

    Args:
        backbone: The encoder.
        num_classes: Channels of the result.
        input_shape: Height, width and channels; null for an extent that may vary. Extents are multiples of 32.
        activation: Of the result: `sigmoid` for one class or overlapping ones, `softmax` or `log_softmax` for one of
            several.
        filters: Of each decoder block; each doubles the extents, so five give the size of the input.
        decoder: Whether blocks enlarge by repeating pixels or by a transposed convolution.
        batch_norm: Whether the decoder normalizes.
    """
    net, x, features = _encoded("unet", backbone, input_shape)
    block = partial(_conv_block, net, batch_norm=batch_norm)
    x = _centre(net, x, backbone, batch_norm=batch_norm)
    for stage, count in enumerate(filters):
        name = f"decoder_stage{stage}"
        if decoder == "upsampling":
            x = net.upsampling(x, name=f"{name}_upsampling")
        else:
            x = _transposed(net, x, count, f"{name}a", batch_norm=batch_norm)
        if stage < len(features):
            x = net.concatenate(x, features[stage], name=f"{name}_concat")
        if decoder == "upsampling":
            x = block(x, count, 3, name=f"{name}a")
        x = block(x, count, 3, name=f"{name}b")
    return _result(net, _last(net, x, num_classes, "final_conv"), activation)


@component("resunet")
def resunet(
    *,
    depth: Literal[18, 34, 50, 101, 152] = 50,
    num_classes: Count = 1,
    input_shape: list[Count | None] = [256, 256, 3],
    activation: str = "sigmoid",
) -> Graph:
    """ResUNet: `unet` on a residual network.

    Args:
        depth: Layers of the residual network.
        num_classes: Channels of the result.
        input_shape: Height, width and channels; null for an extent that may vary. Extents are multiples of 32.
        activation: Of the result.
    """
    return unet(
        backbone=f"resnet{depth}",  # type: ignore[arg-type]
        num_classes=num_classes,
        input_shape=input_shape,
        activation=activation,
    )


@component("linknet")
def linknet(
    *,
    backbone: Backbone = "vgg16",
    num_classes: Count = 1,
    input_shape: list[Count | None] = [None, None, 3],
    activation: str = "sigmoid",
    filters: Count = 16,
    decoder: Literal["upsampling", "transpose"] = "upsampling",
    batch_norm: bool = True,
) -> Graph:  # fmt: skip
    """LinkNet: a U-Net that adds the encoder's features instead of concatenating; Chaurasia and Culurciello, 2017.

    Args:
        backbone: The encoder.
        num_classes: Channels of the result.
        input_shape: Height, width and channels; null for an extent that may vary. Extents are multiples of 32.
        activation: Of the result.
        filters: Of the last decoder block; the others have those of the features which they add.
        decoder: Whether blocks enlarge by repeating pixels or by a transposed convolution.
        batch_norm: Whether the decoder normalizes.
    """
    net, x, features = _encoded("linknet", backbone, input_shape)
    block = partial(_conv_block, net, batch_norm=batch_norm)
    x = _centre(net, x, backbone, batch_norm=batch_norm)
    for stage in range(5):
        name, inner = f"decoder_stage{stage}", x.channels // 4
        side = features[stage] if stage < len(features) else None
        x = block(x, inner, 1, name=f"{name}a")
        if decoder == "upsampling":
            x = block(net.upsampling(x, name=f"{name}_upsampling"), inner, 3, name=f"{name}b")
        else:
            x = _transposed(net, x, inner, f"{name}b", batch_norm=batch_norm)
        x = block(x, side.channels if side else filters, 1, name=f"{name}c")
        if side:
            x = net.add(x, side, name=f"{name}_add")
    return _result(net, _last(net, x, num_classes, ""), activation)


@component("fpn")
def fpn(
    *,
    backbone: Backbone = "vgg16",
    num_classes: Count = 1,
    input_shape: list[Count | None] = [None, None, 3],
    activation: str = "sigmoid",
    filters: Count = 256,
    aggregation: Literal["concat", "sum"] = "concat",
    dropout: Fraction | None = None,
    batch_norm: bool = True,
) -> Graph:  # fmt: skip
    """Feature pyramid: features of four scales are brought to one; Lin et al., 2016.

    Args:
        backbone: The encoder.
        num_classes: Channels of the result.
        input_shape: Height, width and channels; null for an extent that may vary. Extents are multiples of 32.
        activation: Of the result.
        filters: Channels of the pyramid; the layers behind it have half of them.
        aggregation: How the scales are joined.
        dropout: Share of channels that are dropped behind the pyramid; none if null.
        batch_norm: Whether the layers behind the pyramid normalize.
    """
    net, x, features = _encoded("fpn", backbone, input_shape)
    block = partial(_conv_block, net, batch_norm=batch_norm)
    scales = []
    for level, feature in zip((5, 4, 3, 2), features, strict=True):
        name = f"fpn_stage_p{level}"
        if x.channels != filters:
            x = net.conv(x, filters, 1, initializer="he_uniform", name=f"{name}_pre_conv")
        side = net.conv(feature, filters, 1, initializer="he_uniform", name=f"{name}_conv")
        x = net.add(net.upsampling(x, name=f"{name}_upsampling"), side, name=f"{name}_add")
        scale = block(
            block(x, filters // 2, 3, name=f"segm_stage{level}a"), filters // 2, 3, name=f"segm_stage{level}b"
        )
        scales.append(net.upsampling(scale, 2 ** (level - 2), name=f"upsampling_stage{level}") if level > 2 else scale)
    join = net.concatenate if aggregation == "concat" else net.add
    x = join(*reversed(scales), name=f"aggregation_{aggregation}")
    if dropout:
        x = net.layer("SpatialDropout2D", x, name="pyramid_dropout", rate=dropout)
    x = block(x, filters // 2, 3, name="final_stage")
    x = net.upsampling(x, interpolation="bilinear", name="final_upsampling")
    return _result(net, _last(net, x, num_classes, "head_conv"), activation)


@component("pspnet")
def pspnet(
    *,
    backbone: Backbone = "vgg16",
    num_classes: Count = 1,
    input_shape: list[Count | None] = [384, 384, 3],
    activation: str = "sigmoid",
    downsampling: Literal[4, 8, 16] = 8,
    filters: Count = 512,
    pooling: Literal["avg", "max"] = "avg",
    dropout: Fraction | None = None,
    batch_norm: bool = True,
) -> Graph:  # fmt: skip
    """Pyramid scene parsing: features are pooled over 1, 4, 9 and 36 parts of the image; Zhao et al., 2016.

    Args:
        backbone: The encoder, of which only the first layers are needed.
        num_classes: Channels of the result.
        input_shape: Height, width and channels, all known. Extents are multiples of 6 times `downsampling`.
        activation: Of the result.
        downsampling: How much smaller than the images the features are.
        filters: Channels of each pooled part and behind the pyramid.
        pooling: Whether parts are pooled to their mean or maximum.
        dropout: Share of channels that are dropped before the last convolution; none if null.
        batch_norm: Whether the layers behind the encoder normalize.
    """
    if None in input_shape[:2]:
        raise NetworkError(
            Problem(
                "input_shape",
                f"pspnet pools over parts of the image, so height and width must be known, got {show(input_shape)}; "
                f"give multiples of {6 * downsampling}, such as [384, 384, 3]",
            )
        )
    net, _, features = _encoded("pspnet", backbone, input_shape, multiple=6 * downsampling)
    block = partial(_conv_block, net, batch_norm=batch_norm)
    entry = features[{16: 0, 8: 1, 4: 2}[downsampling]]
    parts = [entry]
    for level in (1, 2, 3, 6):
        name, size = f"psp_level{level}", [(extent or 0) // level for extent in entry.spatial]
        x = net.pool("Average" if pooling == "avg" else "Max", entry, size, padding="same", name=f"{name}_pooling")
        x = block(x, filters, 1, name=name)
        parts.append(net.upsampling(x, size, interpolation="bilinear", name=f"{name}_upsampling"))
    x = block(net.concatenate(*parts, name="psp_concat"), filters, 1, name="aggregation")
    if dropout is not None:
        x = net.layer("SpatialDropout2D", x, name="spatial_dropout", rate=dropout)
    x = _last(net, x, num_classes, "final_conv")
    x = net.upsampling(x, downsampling, interpolation="bilinear", name="final_upsampling")
    return _result(net, x, activation)


def _encoded(
    title: str, backbone: str, input_shape: list[int | None], *, multiple: int = 32
) -> tuple[Draft, Tensor, list[Tensor]]:
    """The encoder in a new network: its result and its features of 1/16, 1/8, 1/4 and 1/2 of the extents."""
    encoder = BACKBONES[backbone]
    net = Draft(f"{title}_{backbone}")
    x = encoder.body(net, net.input(input_shape, minimum=encoder.minimum, multiple=multiple, name=encoder.entry))
    return net, x, [net[layer] for layer in encoder.features]


def _centre(net: Draft, x: Tensor, backbone: str, *, batch_norm: bool) -> Tensor:
    if BACKBONES[backbone].pooled:
        for number in (1, 2):
            x = _conv_block(net, x, 512, 3, batch_norm=batch_norm, name=f"center_block{number}")
    return x


def _conv_block(net: Draft, x: Tensor, filters: int, kernel: int, *, batch_norm: bool, name: str) -> Tensor:
    x = net.conv(
        x, filters, kernel, padding="same", use_bias=not batch_norm, initializer="he_uniform", name=f"{name}_conv"
    )
    if batch_norm:
        x = net.batch_norm(x, name=f"{name}_bn")
    return net.activation(x, "relu", name=f"{name}_relu")


def _transposed(net: Draft, x: Tensor, filters: int, name: str, *, batch_norm: bool) -> Tensor:
    x = net.transpose(x, filters, 4, use_bias=not batch_norm, name=f"{name}_transpose")
    if batch_norm:
        x = net.batch_norm(x, name=f"{name}_bn")
    return net.activation(x, "relu", name=f"{name}_relu")


def _last(net: Draft, x: Tensor, num_classes: int, name: str) -> Tensor:
    return net.conv(x, num_classes, 3, padding="same", name=name)


def _result(net: Draft, x: Tensor, activation: str) -> Graph:
    return net.graph(net.activation(x, activation, name=activation))
