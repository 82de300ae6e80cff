import json

import pytest

from rmldnn.config import spec, translate
from rmldnn.config.check import check

BOXES = {
    "task": {"type": "obj"},
    "network": {"type": "yolov3"},
    "data": {"input_type": "images", "target_type": "coco", "input_path": "train/", "target_path": "train.json"},
    "loss": {"function": "YOLOv3"},
    "optimizer": {"type": "Adam"},
}


def said(**changes):
    data = {**BOXES["data"], **changes.pop("data", {})}
    values = {**BOXES, "data": data, **changes}
    return [str(problem) for problem in check({key: value for key, value in values.items() if value is not None})]


def test_a_detection_is_fine():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": {"function": "MSE"}}, "loss: the task `obj` takes one loss"),
        ({"loss": [{"function": "YOLOv3"}]}, "loss: the task `obj` takes one loss"),
        ({"metrics": ["IoU"]}, "metrics: the task `obj` measures mAP@50 and mAP@50:95 by itself"),
        ({"data": {"target_type": "labels", "target_path": None}}, "data.target_type: the task `obj` needs boxes"),
        ({"data": {"input_type": "numpy"}}, "data.input_type: the task `obj` looks at pictures"),
        ({"data": {"slicers": [{"sizes": [8, 8]}]}}, "data.slicers: boxes go with whole pictures"),
        ({"data": {"transforms": [{"mixup": 0.2}]}}, "data.transforms[0]: `mixup` cannot blend boxes"),
    ],
)
def test_what_does_not_go_with_boxes_is_told(changes, message):
    assert any(problem.startswith(message) for problem in said(**changes)), said(**changes)


def test_the_loss_and_boxes_need_the_task():
    problems = said(task={"type": "dnn"})
    assert problems == [
        'loss: YOLOv3 is the loss of object detection; set "task": "obj", or start with --app=obj',
        'data.target_type: `coco` gives boxes, the targets of object detection; set "task": "obj", or start with '
        "--app=obj",
    ]


def test_the_example_of_the_original_composes(tmp_path):
    """Its documentation shows these transforms, and starts object detection by `--app=obj`."""
    transforms = [
        {"resize": [416, 416]},
        {"convert_color": "BGR2RGB"},
        {"random_horizontal_flip": 0.5},
        {"jitter_crop": 0.2},
        {"random_rotate": 10},
    ]
    values = {**BOXES, "layers": "network.json", "data": {**BOXES["data"], "transforms": transforms}}
    del values["network"], values["task"]
    (tmp_path / "config.json").write_text(json.dumps({"neural_network": values}))
    composed = translate.compose(spec.load(tmp_path / "config.json", task="obj"))
    assert composed.values["task"]["type"] == "obj"
    assert composed.values["loss"]["anchors"][0] == [10, 13]
