import cv2
import numpy as np
import pytest

from rmldnn.data import boxes
from rmldnn.data.boxes import Objects
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.data.transform import Boxes, Part
from rmldnn.data.transforms.crop import jitter_crop, random_crop
from rmldnn.data.transforms.flip import random_horizontal_flip, random_vertical_flip
from rmldnn.data.transforms.letterbox import letterbox
from rmldnn.data.transforms.resize import resize
from rmldnn.data.transforms.rotate import random_rotate, random_rotate_90
from rmldnn.data.transforms.zoom import random_scale, random_zoom

TRANSFORMS = [
    random_horizontal_flip(probability=0.5),
    random_vertical_flip(probability=0.5),
    random_rotate_90(probability=1.0),
    random_rotate(angle=30),
    random_zoom(amount=0.3),
    random_scale(amount=0.3),
    random_crop(size=[70, 60]),
    jitter_crop(amount=0.3),
    resize(size=[90, 50]),
    letterbox(size=[100, 60]),
]


class Given(Objects):
    """Given boxes."""

    kind = "given"

    def __init__(self, inputs, found):
        super().__init__(Side("train", "target", inputs=inputs), [one.values for one in found], {"a": 0, "b": 1}, {})
        self.found = found

    def boxes(self, index):
        return self.found[index]

    def locate(self, index):
        return f"boxes of {self.names[index]}"


def scene(seed):
    """A dark picture with one bright disc, and the box around it."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((80, 100, 1), np.uint8)
    radius = int(random.integers(6, 12))
    x, y = (int(random.integers(30, limit - 30)) for limit in (100, 80))
    cv2.circle(pixels, (x, y), radius, 255, -1)
    corners = [x - radius, y - radius, x + radius + 1, y + radius + 1]
    return pixels, Boxes((80, 100), np.array([[0, *corners]], np.float32))


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.name)
def test_boxes_stay_around_what_they_are_of(pictures, transform):
    """The disc of the moved picture fills its moved box; that of a turned box is larger, but has the same middle."""
    scenes = [scene(seed) for seed in range(8)]
    inputs = pictures(*[pixels for pixels, _ in scenes])
    sides = [
        Pipeline(inputs, Part("input"), [(3, transform)]),
        Pipeline(Given(inputs, [found for _, found in scenes]), Part("target"), [(3, transform)]),
    ]
    at = np.arange(len(scenes))
    for pixels, rows in zip(*[side.read(at, 1, 2) for side in sides], strict=True):
        assert rows[0].tolist() == [-1, 0, 0, pixels.shape[1], pixels.shape[0]]
        places = np.argwhere(pixels[..., 0] > 127 if transform.name != "letterbox" else pixels[..., 0] > 200)
        if len(places) < 60:
            continue  # cut off
        seen = np.concatenate([places.min(0)[::-1], places.max(0)[::-1] + 1])
        ((_, *box),) = rows[1:].tolist()
        if transform.name == "random_rotate":
            np.testing.assert_allclose((seen[:2] + seen[2:]) / 2, (np.array(box[:2]) + box[2:]) / 2, atol=1.5)
        else:
            np.testing.assert_allclose(seen, box, atol=1.5)


def test_a_batch_is_as_wide_as_the_set_needs(pictures):
    inputs = pictures(np.zeros((9, 9, 1)), np.zeros((9, 9, 1)))
    found = [Boxes((9, 9), np.ones((count, 5), np.float32)) for count in (1, 3)]
    pipeline = Pipeline(Given(inputs, found), Part("target"))
    batch = pipeline.gather(np.array([0]), 0, 1)
    assert batch.shape == (1, 4, 5)
    assert batch[0, :, 0].tolist() == [-1, 1, -1, -1]


def test_boxes_of_which_hardly_anything_is_left_are_dropped(pictures):
    inputs = pictures(np.zeros((10, 10, 1)))
    found = [Boxes((10, 10), np.array([[0, 0, 0, 4, 4], [1, 8, 8, 10, 10]], np.float32))]
    rows = Pipeline(Given(inputs, found), Part("target"), [(0, random_crop(size=[3, 3]))]).read(np.array([0]), 5, 1)[0]
    assert len(rows) < 3


def test_a_crowd_has_the_class_of_its_members():
    assert boxes.crowd(boxes.crowd(4)) == 4
    assert boxes.crowd(0) < boxes.NONE


def test_the_size_of_a_picture_is_that_once_it_is_upright(tmp_path):
    encoded = cv2.imencode(".jpg", np.zeros((20, 40, 3), np.uint8))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "turned.jpg").write_bytes(encoded[:2] + segment + encoded[2:])
    source = images(Side("train", "input", str(tmp_path)))
    assert boxes.picture_extent(source, 0) == source.take(np.array([0]))[0].shape[:2] == (40, 20)
