"""Classification networks as encoders of segmentation networks, with the layers from which these take features.

What `segmentation_models` knows is here as it is there; `resnet*v2` and `xception`, which it lacks, are added in its
manner. Its residual networks are not those of Keras, and some others keep older or other paddings than Keras has now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from rmldnn.networks.zoo import densenet, inception, mobilenet, preactivated, resnet, vgg, xception
from rmldnn.networks.zoo.draft import Draft, Tensor


@dataclass(frozen=True)
class Backbone:
    """A classification network without its classifier.

    Args:
        body: Adds it; its result has 1/32 of the extents.
        features: Layers that give 1/16, 1/8, 1/4 and 1/2 of them.
        entry: What its input is called.
        minimum: The least extent of images.
        pooled: Whether it ends in a pooling, so that decoders do well to convolve first.
    """

    body: Callable[[Draft, Tensor], Tensor]
    features: tuple[str, ...]
    entry: str = "input_1"
    minimum: int = 32
    pooled: bool = False


def _vgg(depths: tuple[int, ...]) -> Backbone:
    features = tuple(f"block{block}_conv{depths[block - 1]}" for block in (5, 4, 3, 2))
    return Backbone(partial(vgg.body, depths=depths), features, pooled=True)


def _preactivated(depth: int) -> Backbone:
    features = (*(f"stage{stage}_unit1_relu1" for stage in (4, 3, 2)), "relu0")
    return Backbone(partial(preactivated.body, depth=depth), features, entry="data")


def _resnet_v2(depth: int) -> Backbone:
    features = (*(f"conv{stack}_block{resnet.DEPTHS[depth][stack - 2]}_1_relu" for stack in (4, 3, 2)), "conv1_conv")
    return Backbone(partial(resnet.body_v2, depth=depth), features)


def _densenet(depth: int) -> Backbone:
    return Backbone(partial(densenet.body, depth=depth), ("pool4_conv", "pool3_conv", "pool2_conv", "conv1/relu"))


BACKBONES: Mapping[str, Backbone] = {
    "vgg16": _vgg(vgg.VGG16),
    "vgg19": _vgg(vgg.VGG19),
    **{f"resnet{depth}": _preactivated(depth) for depth in preactivated.DEPTHS},
    **{f"resnet{depth}v2": _resnet_v2(depth) for depth in resnet.DEPTHS},
    "mobilenet": Backbone(
        partial(mobilenet.body, padded=True), tuple(f"conv_pw_{number}_relu" for number in (11, 5, 3, 1))
    ),
    "mobilenetv2": Backbone(
        partial(mobilenet.body_v2, padded=True), tuple(f"block_{number}_expand_relu" for number in (13, 6, 3, 1))
    ),
    **{f"densenet{depth}": _densenet(depth) for depth in densenet.DEPTHS},
    "inceptionv3": Backbone(
        partial(inception.body, padding="same"), ("mixed7", "mixed2", "activation_4", "activation_2"), minimum=75
    ),
    "xception": Backbone(
        partial(xception.body, padding="same"),
        ("block13_sepconv2_act", "block4_sepconv2_act", "block3_sepconv2_act", "block1_conv2_act"),
        minimum=71,
    ),
}
