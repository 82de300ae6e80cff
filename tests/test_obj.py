"""Object detection, from the command line to files."""

import copy
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("pycocotools")

from pycocotools.coco import COCO

from rmldnn.errors import ConfigError
from rmldnn.metrics.average_precision import AveragePrecision
from rmldnn.verbs import data, shard

NAMES = ("bright", "dark")
ANCHORS = [[6, 6], [10, 10], [14, 14], [18, 18]]
CONFIG = {
    "task": {"type": "obj", "pictures": 2, "max_detections": 20},
    "num_epochs": 2,
    "layers": "network.json",
    "run_folder": "run",
    "data": {
        "input_type": "images",
        "target_type": "coco",
        "input_path": "train/",
        "target_path": "train.json",
        "test_input_path": "test/",
        "test_target_path": "test.json",
        "test_output_path": "found/",
        "transforms": [{"random_horizontal_flip": 0.5}, {"letterbox": [48, 32]}],
        "batch_size": 4,
        "test_batch_size": 3,
    },
    "loss": {"function": "YOLOv3", "anchors": ANCHORS},
    "optimizer": {"type": "Adam", "learning_rate": 0.003},
    "checkpoints": {"save": "model/", "interval": 1},
}


def conv(name, filters, kernel, before, strides=1, activation="relu", shape=None):
    config = {"name": name, "filters": filters, "kernel_size": kernel, "strides": strides, "padding": "same"}
    config |= {"activation": activation} | ({"batch_input_shape": [None, *shape]} if shape else {})
    return {"class_name": "Conv2D", "name": name, "config": config, "inbound_nodes": [[[before, 0, 0, {}]]]}


def network(classes=2):
    """A network with two outputs: cells of 16 and of 8 pixels, two anchors each."""
    numbers = 2 * (5 + classes)
    return {
        "class_name": "Model",
        "config": {
            "name": "two_scales",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "picture",
                    "config": {"name": "picture", "batch_input_shape": [None, 32, 48, 3]},
                    "inbound_nodes": [],
                },
                conv("a", 8, 3, "picture", 2),
                conv("b", 8, 3, "a", 2),
                conv("c", 12, 3, "b", 2),
                conv("d", 12, 3, "c", 2),
                conv("coarse", numbers, 1, "d", activation="linear"),
                conv("fine", numbers, 1, "c", activation="linear"),
            ],
            "input_layers": [["picture", 0, 0]],
            "output_layers": [["coarse", 0, 0], ["fine", 0, 0]],
        },
    }


def draw(folder, which, count, seed):
    """Grey pictures with bright and dark squares; their boxes as COCO and as Darknet have them."""
    random = np.random.default_rng(seed)
    coco = {"images": [], "annotations": [], "categories": [{"id": 5 + i, "name": n} for i, n in enumerate(NAMES)]}
    (folder / which).mkdir()
    (folder / "labels" / which).mkdir(parents=True)
    for index in range(count):
        width, height = (96, 64) if index % 2 else (60, 40)
        pixels = random.integers(100, 140, (height, width, 3), dtype=np.uint8)
        lines = []
        for _ in range(random.integers(1, 4)):
            kind, side = int(random.integers(2)), int(random.integers(height // 5, height // 2))
            left, top = int(random.integers(width - side)), int(random.integers(height - side))
            pixels[top : top + side, left : left + side] = 20 if kind else 240
            box = {"id": len(coco["annotations"]) + 1, "image_id": 100 + index, "category_id": 5 + kind}
            coco["annotations"].append({**box, "bbox": [left, top, side, side], "area": side * side, "iscrowd": 0})
            middle = (left + side / 2) / width, (top + side / 2) / height
            lines.append(f"{kind} {middle[0]} {middle[1]} {side / width} {side / height}\n")
        coco["images"].append({"id": 100 + index, "file_name": f"{index}.png", "width": width, "height": height})
        cv2.imwrite(str(folder / which / f"{index}.png"), pixels)
        (folder / "labels" / which / f"{index}.txt").write_text("".join(lines))
    (folder / f"{which}.json").write_text(json.dumps(coco))


def prepare(folder):
    """Writes what `CONFIG` names."""
    draw(folder, "train", 15, seed=1)
    draw(folder, "test", 5, seed=2)
    (folder / "network.json").write_text(json.dumps(network()))
    (folder / "class.names").write_text("bright\ndark\n")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A working directory with 15 pictures to learn from and 5 for tests; the configuration, to be changed."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    return copy.deepcopy(CONFIG)


@pytest.fixture
def run(config, tmp_path, fork_server):
    """Writes the configuration and runs it, with changes of the command line."""

    def run(*words):
        (tmp_path / "config.json").write_text(json.dumps({"neural_network": config}))
        return fork_server(tmp_path, "config.json", *words)

    return run


def results(epoch=2):
    return json.loads(Path(f"found/detections_{epoch}.json").read_text())


def test_a_training_writes_what_coco_reads(run, tmp_path):
    result = run()
    assert (result.code, result.err) == (0, "")
    (accuracy,) = result.starting("   Test accuracy")
    assert result.starting("   mAP@50   ")
    assert 0 <= float(accuracy.rsplit(" ", 1)[1]) <= 1
    assert result.starting("   AP@50/dark")
    found = results()
    assert {record["image_id"] for record in found} <= {100, 101, 102, 103, 104}
    assert {record["category_id"] for record in found} <= {5, 6}
    truth = COCO()
    truth.dataset = json.loads(Path("test.json").read_text())
    truth.createIndex()
    read = truth.loadRes(found)
    assert len(read.anns) == len(found) > 0
    sizes = {image["id"]: (image["width"], image["height"]) for image in truth.dataset["images"]}
    for record in found:  # in pixels of the files
        left, top, width, height = record["bbox"]
        assert left >= 0 <= top
        assert left + width <= sizes[record["image_id"]][0] + 0.02
        assert top + height <= sizes[record["image_id"]][1] + 0.02
    for number in (0, 1):
        assert cv2.imread(f"found/pictures_2/{number}.png") is not None
    assert not (tmp_path / "found/pictures_2/2.png").exists()


def test_texts_of_darknet_give_the_same_as_coco(run, config):
    run()
    first = results()
    config["data"] |= {"target_type": "yolo", "target_path": "labels/train/", "test_target_path": "labels/test/"}
    config["data"]["class_names"] = "class.names"
    run()
    second = results()
    assert [record["score"] for record in first] == pytest.approx([record["score"] for record in second], abs=1e-3)
    assert {record["category_id"] for record in second} <= {0, 1}


@pytest.fixture
def predicting(config):
    """Turns the configuration into one that only predicts, with what the second epoch has learned."""

    def turn():
        config["checkpoints"] = {"load": "model/model_checkpoint_2.pt"}
        data = config["data"]
        config["data"] = {key: data[key] for key in ("input_type", "test_input_path", "test_output_path", "transforms")}
        config["data"] |= {"transforms": data["transforms"][1:], "test_batch_size": 3}
        del config["optimizer"]

    return turn


def test_a_prediction_needs_no_targets(run, predicting):
    run()
    learned = results()
    predicting()
    result = run()
    assert (result.code, result.err) == (0, "")
    alone = results(1)
    assert [record["bbox"] for record in alone] == [record["bbox"] for record in learned]
    assert {record["file_name"] for record in alone} <= {f"{index}.png" for index in range(5)}


@pytest.mark.parametrize(("names", "first"), [("train.json", 5), ("class.names", 0)])
def test_a_prediction_names_classes_as_a_file_does(run, config, predicting, names, first):
    run()
    learned = results()
    predicting()
    config["task"]["class_names"] = names
    result = run()
    assert (result.code, result.err) == (0, "")
    kinds = [record["category_id"] - first for record in results(1)]
    assert kinds == [record["category_id"] - 5 for record in learned]
    for path in Path("found/pictures_2").iterdir():
        assert (Path("found/pictures_1") / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("bright\ndark\ngrey\n", 2, "the network has outputs for 2 classes, but there are 3 (bright, dark, grey)"),
        ("", 3, "task.class_names: `class.names` is empty"),
    ],
)
def test_names_that_do_not_fit_are_told(run, config, predicting, text, code, message):
    Path("class.names").write_text(text)
    run()
    predicting()
    config["task"]["class_names"] = "class.names"
    result = run()
    assert result.code == code
    assert message in result.err


def test_preloaded_pictures_give_the_same(run, config):
    run()
    first = results()
    config["data"]["preload"] = True
    run()
    assert results() == first


@pytest.mark.slow
def test_a_training_that_goes_on_is_the_same_to_the_last_bit(run, config):
    config["num_epochs"] = 3
    run()
    whole = torch.load("model/model_checkpoint_3.pt")["model"], results(3)
    config["run_folder"] = "other"
    run("num_epochs=2")
    assert run("--resume").code == 0
    weights = torch.load("model/model_checkpoint_3.pt")["model"]
    assert all(torch.equal(weights[name], value) for name, value in whole[0].items())
    assert results(3) == whole[1]


@pytest.mark.slow
def test_two_processes_give_what_one_gives(run, config, rmldnn):
    config["run_folder"] = None
    one = run()
    first = results()
    two = rmldnn("config.json", "--procs", "2")
    assert (two.code, two.err) == (0, "")
    second = results()
    for name in ("Test loss", "mAP@50", "mAP@50:95"):
        (left,), (right,) = (each.starting(f"   {name} ") for each in (one, two))
        assert float(left.rsplit(" ", 1)[1]) == pytest.approx(float(right.rsplit(" ", 1)[1]), abs=2e-4)
    assert [record["score"] for record in first] == pytest.approx([record["score"] for record in second], abs=1e-4)


def test_16_bits(run):
    result = run("precision=bf16", "num_epochs=1")
    assert (result.code, result.err) == (0, "")


def test_a_network_of_another_number_of_classes_is_told(run, tmp_path):
    (tmp_path / "network.json").write_text(json.dumps(network(classes=1)))
    result = run()
    assert result.code == 2
    assert "the network has outputs for 1 class, but there are 2 (bright, dark)" in result.err


def test_anchors_of_another_network_are_told(run, config):
    config["loss"]["anchors"] = ANCHORS[:3]
    result = run()
    assert result.code == 2
    assert "loss.anchors: 3 anchors do not go with a network output of shape" in result.err


def test_pictures_that_are_moved_alone_are_told(run, config):
    config["data"]["transforms"], config["data"]["input_transforms"] = [], [{"resize": [48, 32]}]
    result = run()
    assert result.code == 3
    assert "put what moves pictures into `transforms`, which moves boxes alike" in result.err


@pytest.mark.parametrize(("crowds", "words"), [(False, "no boxes"), (True, "crowds only")])
def test_a_training_without_objects_is_told_at_the_start(run, crowds, words):
    content = json.loads(Path("train.json").read_text())
    content["annotations"] = [{**box, "iscrowd": 1} for box in content["annotations"]] if crowds else []
    Path("train.json").write_text(json.dumps(content))
    result = run()
    assert result.code == 3
    assert f"data.target_path: there are {words} on all 15 pictures of the training set, nothing to learn" in result.err
    assert not result.starting("Train Epoch")


def test_a_test_set_without_objects_is_doubted(run):
    content = json.loads(Path("test.json").read_text())
    Path("test.json").write_text(json.dumps({**content, "annotations": []}))
    result = run("num_epochs=1")
    assert result.code == 0
    assert "data.test_target_path: there are no boxes on all 5 pictures of the test set" in result.out


def test_bad_boxes_are_left_out_where_that_is_wanted(run, config):
    content = json.loads(Path("train.json").read_text())
    content["annotations"][0]["bbox"][2] = 0
    Path("train.json").write_text(json.dumps(content))
    result = run()
    assert result.code == 3
    assert "train.json: annotations[0] (id 1): the box" in result.err
    config["data"]["on_bad_sample"] = "skip"
    result = run("run_folder=again")
    assert result.code == 0
    assert "1 sample of the training set could not be read and was left out" in result.out


def test_the_data_command_counts_and_draws_boxes(run, config, tmp_path, capsys):
    content = json.loads(Path("train.json").read_text())
    content["annotations"][0]["bbox"][2] = 0
    Path("train.json").write_text(json.dumps(content))
    Path("config.json").write_text(json.dumps({"neural_network": config}))
    assert data.main(["config.json", "--sheet", "sheet.png"]) == 3
    said = capsys.readouterr().out
    good = sum(
        box["category_id"] == 6
        for box in content["annotations"]
        if box["image_id"] != content["annotations"][0]["image_id"]
    )
    assert "Boxes" in said
    assert any(line.split()[:3] == ["1", "dark", str(good)] for line in said.splitlines())
    assert "annotations[0] (id 1): the box" in said
    assert cv2.imread("sheet.png") is not None


def test_boxes_cannot_be_packed_into_shards(config):
    Path("config.json").write_text(json.dumps({"neural_network": config}))
    with pytest.raises(ConfigError, match="data.target_type: boxes cannot be packed into shards"):
        shard.main(["config.json", "--out", "shards"])


def test_a_missing_evaluator_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ConfigError, match=r'install it by: pip install "rmldnn\[detection\]"'):
        AveragePrecision(1, 1, [], 1)
