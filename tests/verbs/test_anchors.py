import json

import cv2
import numpy as np
import pytest

from rmldnn.data.anchors import anchors, nearest
from rmldnn.errors import ConfigError, DataError
from rmldnn.verbs.anchors import main

CONFIG = {
    "task": "obj",
    "network": {"type": "yolov3", "num_classes": 1},
    "loss": {"function": "YOLOv3"},
    "optimizer": {"type": "Adam"},
    "data": {
        "input_type": "images",
        "target_type": "yolo",
        "input_path": "pictures/",
        "target_path": "labels/",
        "transforms": [{"random_horizontal_flip": 0.5}, {"letterbox": [80, 80]}],
    },
}
SIZES = [(0.1, 0.2), (0.5, 0.5), (0.9, 0.2)]
"""Of boxes on pictures of 40 x 20."""


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Runs the command on pictures with one box each; what it said."""
    monkeypatch.chdir(tmp_path)
    for folder in ("pictures", "labels"):
        (tmp_path / folder).mkdir()
    for index in range(12):
        cv2.imwrite(f"pictures/{index}.png", np.zeros((20, 40, 3), np.uint8))
        width, height = SIZES[index % 3]
        (tmp_path / f"labels/{index}.txt").write_text(f"0 0.5 0.5 {width} {height}\n")

    def said(*words, **data):
        config = {**CONFIG, "data": {**CONFIG["data"], **data}}
        (tmp_path / "config.json").write_text(json.dumps({"neural_network": config}))
        assert main(["config.json", *words]) == 0
        return capsys.readouterr().out

    return said


def test_sizes_are_those_behind_the_fixed_transforms(said):
    out = said("--num", "3")
    assert "12 boxes on pictures of 80 x 80 (width x height); mean IoU with the nearest anchor: 1.000" in out
    assert '"anchors": [[8, 8], [72, 8], [40, 20]]' in out


def test_a_size_of_the_network_in_place_of_the_transforms(said):
    assert '"anchors": [[16, 16], [144, 16], [80, 40]]' in said("--num", "3", "--size", "160")


def test_pictures_as_they_are(said):
    assert "pictures of 40 x 20" in said("--num", "1", transforms=[])


def test_more_anchors_than_sizes_are_told(said):
    with pytest.raises(DataError, match="4 anchors need as many boxes of different sizes"):
        said("--num", "4")


@pytest.mark.parametrize(("words", "message"), [(("--num", "0"), "--num"), (("--size", "-1"), "--size")])
def test_numbers_that_make_no_sense_are_told(said, words, message):
    with pytest.raises(ConfigError, match=f"{message} must be a positive integer"):
        said(*words)


def test_anchors_are_near_to_the_boxes_they_were_found_for():
    random = np.random.default_rng(0)
    centres = np.array([[10, 20], [60, 30], [25, 90], [150, 140.0]])
    sizes = np.concatenate([centre * random.uniform(0.95, 1.05, (50, 2)) for centre in centres])
    found = anchors(sizes, 4, seed=1)
    np.testing.assert_allclose(found, centres[np.argsort(centres.prod(1))], rtol=0.03)
    assert nearest(sizes, found)[1].mean() > 0.93


def test_the_same_seed_gives_the_same():
    sizes = np.random.default_rng(0).uniform(5, 90, (200, 2))
    assert anchors(sizes, 6, seed=3).tolist() == anchors(sizes, 6, seed=3).tolist()


def test_more_anchors_are_nearer():
    sizes = np.random.default_rng(0).uniform(5, 90, (400, 2))
    fits = [nearest(sizes, anchors(sizes, count, seed=0))[1].mean() for count in (1, 3, 9)]
    assert fits == sorted(fits)
