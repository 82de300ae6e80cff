"""What boxes, the loss YOLOv3 and the task `obj` need of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.errors import Problem

BOXES = ("coco", "yolo")
"""Sources of boxes."""
_LOSS = "yolov3"
_MIXES = ("mixup", "cutmix")
_LISTS = ("transforms", "input_transforms", "target_transforms")
_TASK = '"task": "obj", or start with --app=obj'


def check_detection(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems of a configuration whose task, loss and data do not go together."""
    task, loss, data = values.get("task"), values.get("loss"), values.get("data")
    data = data if isinstance(data, dict) else {}
    target = str(data.get("target_type") or data.get("type") or "").lower()
    losses = [item for item in (loss if isinstance(loss, list) else [loss]) if isinstance(item, dict)]
    finds = str(task.get("type") if isinstance(task, dict) else task).lower() == "obj"
    of_boxes = [item for item in losses if str(item.get("function")).lower() == _LOSS]
    if not finds:
        if of_boxes:
            yield Problem("loss", f"YOLOv3 is the loss of object detection; set {_TASK}")
        if target in BOXES:
            yield Problem("data.target_type", f"`{target}` gives boxes, the targets of object detection; set {_TASK}")
        return
    if losses and (isinstance(loss, list) or not of_boxes):
        yield Problem("loss", 'the task `obj` takes one loss: {"function": "YOLOv3"}')
    if values.get("metrics"):
        message = "the task `obj` measures mAP@50 and mAP@50:95 by itself; remove this list"
        yield Problem("metrics", message)
    if values.get("multigrid"):
        yield Problem("multigrid", "anchors are of one resolution; remove this section, or choose another task")
    yield from _of_data(data, target)


def _of_data(data: Mapping[str, Any], target: str) -> Iterator[Problem]:
    kind = str(data.get("input_type") or data.get("type") or "").lower()
    if kind and kind != "images":
        yield Problem("data.input_type", f"the task `obj` looks at pictures; set `images` instead of `{kind}`")
    wanted = data.get("target_path") or data.get("test_target_path")
    if target and target not in BOXES:
        yield Problem("data.target_type", f"the task `obj` needs boxes; set `coco` or `yolo` instead of `{target}`")
    elif wanted and not target:
        yield Problem("data", "`target_type` is missing; boxes are of type `coco` or `yolo`")
    if data.get("slicers"):
        yield Problem("data.slicers", "boxes go with whole pictures; remove this list")
    for name in _LISTS:
        for index, item in enumerate(data.get(name) or ()):
            mixing = next((key for key in item if key.lower() in _MIXES), None) if isinstance(item, dict) else None
            if mixing:
                yield Problem(f"data.{name}[{index}]", f"`{mixing}` cannot blend boxes; remove it")
