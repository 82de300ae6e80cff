"""A first configuration: from facts about data to the values of a file."""

from __future__ import annotations

import math
from typing import Any

from rmldnn.config.drafting.facts import PICTURE, Draft, Extent, Facts, Wishes
from rmldnn.config.drafting.plain_layers import convolutions, dense
from rmldnn.config.drafting.sizes import NO_FAMILY, OF_FIELDS, depth, is_cut
from rmldnn.config.drafting.transforming import shift_of, transforms
from rmldnn.config.keys import Values

_IN_MEMORY = 1e9
"""Bytes."""
_ON_DISK = 2e9
_FEW = 5000
"""Pictures with which the whole of YOLOv3 does not learn more than a narrower one."""


def draft(facts: Facts, wish: Wishes, *, metrics: bool = True) -> Draft:
    """The configuration.

    Args:
        facts: About the data.
        wish: What was chosen.
        metrics: Whether the packages of `rmldnn[metrics]` are there.
    """
    measured, best = _metrics(facts) if metrics else ([], "test_accuracy")
    if facts.task in ("regression", "image-to-image"):
        best = "test_loss"
    if not facts.tested:
        best = "train_loss"
    remarks: dict[tuple[str, ...], str] = {}
    values: Values = {"task": {"type": "obj", "pictures": 8}} if facts.task == "detection" else {}
    values |= {"num_epochs": wish.num_epochs, "outfile": "out.txt", **_network(facts, wish)}
    values["data"] = _data(facts, wish, remarks)
    values["loss"] = _loss(facts)
    if measured and facts.tested:
        values["metrics"] = measured
    values["optimizer"] = _optimizer(facts)
    values["checkpoints"] = {"save": "./model/", "keep": {"last": 1, "best": best}}
    return Draft(values, remarks)


def _network(facts: Facts, wish: Wishes) -> Values:
    shape = [*wish.extent, facts.channels]
    activation = {"classification": "log_softmax", "segmentation": "log_softmax"}.get(facts.task, "linear")
    if wish.network == NO_FAMILY:
        made = convolutions if facts.axes else dense
        return {"layers": made(shape, facts.outputs, activation)}
    network: Values = {"type": wish.network, "num_classes": facts.outputs, "input_shape": shape}
    if wish.network == "yolov3":
        if facts.samples < _FEW:
            network |= {"width": 0.5 if max(wish.extent) > 128 else 0.25, "blocks": [1, 1, 2, 2, 1]}
        return {"network": network}
    network["activation"] = activation
    if wish.network in ("unet2d", "unet3d"):
        # Statistics of single samples do not lag behind in short trainings, as those of batches do; but they take away
        # how bright a sample is, which a map of numbers depends on.
        norm = "instance" if facts.task == "segmentation" else "none"
        network |= {"filters": 32 if facts.axes == PICTURE else 16, "depth": depth(facts), "norm": norm}
    elif wish.network in OF_FIELDS:
        network["backbone"] = "resnet34"
    return {"network": network}


def _data(facts: Facts, wish: Wishes, remarks: dict[tuple[str, ...], str]) -> Values:
    data: Values = {**facts.data, "batch_size": wish.batch_size, "test_batch_size": wish.batch_size}
    cut = is_cut(facts, wish.extent)
    shared, own = transforms(facts, wish, cut=cut)
    if _kept(facts, wish.extent if shared and "resize" in shared[0] else facts.usual) <= _IN_MEMORY:
        data["preload"] = True
    if cut:
        data["slicers"] = [{"name": "slices", "sizes": list(wish.extent)}]
        if facts.tested:
            data["hdf5_outfile"] = "./predictions.h5"
    else:
        written = facts.tested * wish.num_epochs * 4
        written *= facts.outputs * (math.prod(wish.extent) if facts.task in ("segmentation", "image-to-image") else 1)
        if facts.tested and (facts.task == "detection" or written <= _ON_DISK):
            data["test_output_path"] = "./detections/" if facts.task == "detection" else "./predictions/"
    if shared:
        data["transforms"] = shared
    if own:
        data["input_transforms"] = own
    if facts.targets is not None and (shift := shift_of(*facts.targets)):
        data["target_transforms"] = [{"normalize": shift}]
        remarks["data", "target_transforms"] = "predictions are (y - mean) / std as well"
    return data


def _kept(facts: Facts, size: Extent) -> int:
    """Bytes of both sets in memory, where samples are kept as they are before the first random transform."""
    numbers = math.prod(size) * facts.channels
    if facts.task in ("segmentation", "image-to-image"):
        numbers += math.prod(size) * (facts.outputs if facts.task == "image-to-image" else 1)
    return (facts.samples + facts.tested) * numbers * facts.width


def _loss(facts: Facts) -> Any:
    if facts.task == "detection":
        return {"function": "YOLOv3", "box": "ciou"}
    if facts.task in ("regression", "image-to-image"):
        return {"function": "MSE"}
    ignored = {} if facts.ignored is None else {"ignore_index": facts.ignored}
    if facts.task == "classification":
        return {"function": "NLL", **ignored}
    return [{"function": "Dice", "weight": 0.5, **ignored}, {"function": "NLL", "weight": 0.5, **ignored}]


def _metrics(facts: Facts) -> tuple[list[str], str]:
    """What is measured besides, and what tells the best network."""
    if facts.task == "classification":
        return ["F1", "ConfusionMatrix"], "test_accuracy"
    if facts.task == "segmentation":
        return ["IoU"], "test_IoU"
    if facts.task == "image-to-image" and facts.pixels:
        return ["PSNR"], "test_loss"
    return (["MAE"], "test_loss") if facts.task != "detection" else ([], "test_accuracy")


def _optimizer(facts: Facts) -> Values:
    schedule = {"type": "OneCycle", "per": "step", "pct_start": 0.1, "verbose": False}
    if facts.task == "detection":  # boxes first have to learn that most hold nothing, which biases can do by themselves
        faster = [{"kinds": ["bias"], "learning_rate": 1e-2}]
        return {"type": "Adam", "learning_rate": 2e-3, "parameters": faster, "lr_scheduler": schedule}
    return {"type": "AdamW", "learning_rate": 2e-3, "weight_decay": 1e-3, "lr_scheduler": schedule}
