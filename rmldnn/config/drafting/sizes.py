"""Which networks fit, and how large samples, batches and trainings should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rmldnn.config.drafting.facts import PICTURE, VOLUME, Extent, Facts, Wishes

_OF_PICTURES = ("resnet18", "resnet34", "resnet50", "resnet101", "densenet121", "mobilenetv2")
OF_FIELDS = ("unet2d", "unet", "linknet", "fpn")
NO_FAMILY = "layers"
"""What a network is called that is written into the file, where no family takes such samples."""
_UPDATES = 1500
"""What a network of a new kind learns most in."""
_SLICE = 64
_WHOLE = 96**3
"""Volumes of no more numbers are samples as a whole."""
_BATCH = 4
"""Normalisation by batches needs some samples."""


def networks(facts: Facts) -> Sequence[str]:
    """The families that fit, the usual one first."""
    if facts.task == "detection":
        return ("yolov3",)
    if facts.task in ("segmentation", "image-to-image"):
        return OF_FIELDS if facts.axes == PICTURE else ("unet3d",) if facts.axes == VOLUME else ()
    return _OF_PICTURES if facts.axes == PICTURE else (NO_FAMILY,)


def extent(facts: Facts, network: str, wanted: Extent | None = None) -> Extent:
    """What samples are made, so that the network takes them: large ones smaller, small ones no larger than need be.

    Args:
        facts: About the data.
        network: The family.
        wanted: What somebody asks for, brought to what the network takes.
    """
    multiple, least, most = _limits(facts, network)
    if facts.axes != PICTURE:
        if wanted is None and is_cut(facts):
            wanted = tuple(min(_SLICE, side) for side in facts.usual)
        return tuple(_round(side, multiple, least, math.ceil) for side in wanted or facts.usual)
    if wanted is None and facts.least == facts.most and facts.task != "detection":
        shrink = min(1.0, most / max(facts.usual))
        wanted = tuple(max(1, round(side * shrink)) for side in facts.usual)
    if wanted is None:
        wanted = (min(most, max(facts.usual)),) * facts.axes
    way = math.ceil if is_cut(facts) else round  # slices get zeros at their far sides
    return tuple(_round(side, multiple, least, way) for side in wanted)


def _limits(facts: Facts, network: str) -> tuple[int, int, int]:
    """Of which number extents are multiples, and how small and how large they should be."""
    if network == "yolov3":
        return 32, 96, 416
    if network in ("unet2d", "unet3d"):
        multiple = 2 ** depth(facts)
        return multiple, multiple, 256
    return (32, 32, 256) if network in OF_FIELDS else (1, 32 if network in _OF_PICTURES else 1, 224)


def _round(side: int, multiple: int, least: int, way: Callable[[float], int]) -> int:
    return max(least, way(side / multiple) * multiple)


def depth(facts: Facts) -> int:
    """How often a U-Net halves the extents: until some 8 are left."""
    return min(4 if facts.axes == PICTURE else 3, max(2, int(math.log2(max(8, min(facts.usual)) / 8))))


def batch_size(facts: Facts, size: Extent) -> int:
    """How many samples an update should be of: fewer of large ones, and so few that an epoch has some updates."""
    pixels = math.prod(size)
    if facts.task in ("classification", "regression"):
        wanted = 64 if pixels <= 64**2 else 32 if pixels <= 256**2 else 8
    else:
        wanted = 16 if pixels <= 128**2 else 8 if pixels <= 256**2 else 4
        wanted = min(wanted, 2 if facts.axes == VOLUME else wanted)
    while wanted > _BATCH and wanted * 8 > _slices(facts, size):
        wanted //= 2
    return wanted


def num_epochs(facts: Facts, size: Extent, batch: int) -> int:
    """How many epochs make a number of updates in which there is something to be learned."""
    return min(100, max(15, round(_UPDATES / math.ceil(_slices(facts, size) / batch))))


def _slices(facts: Facts, size: Extent) -> int:
    if not is_cut(facts, size):
        return facts.samples
    return facts.samples * math.prod(math.ceil(whole / part) for whole, part in zip(facts.usual, size, strict=True))


def is_cut(facts: Facts, size: Extent | None = None) -> bool:
    """Whether samples are slices: where arrays are large, or differ, or have extents that the network does not take."""
    if not facts.sliced or facts.axes not in (PICTURE, VOLUME) or facts.task not in ("segmentation", "image-to-image"):
        return False
    odd = any(side % 2 ** depth(facts) for side in facts.usual)
    given = size is not None and size != facts.usual
    return facts.least != facts.most or odd or given or math.prod(facts.usual) > _WHOLE


def wishes(
    facts: Facts,
    network: str | None = None,
    size: Extent | None = None,
    epochs: int | None = None,
    batch: int | None = None,
) -> Wishes:
    """What to take where nobody wishes anything else."""
    family = network or networks(facts)[0]
    size = extent(facts, family, size)
    batch = batch or batch_size(facts, size)
    return Wishes(family, size, epochs or num_epochs(facts, size, batch), batch)
