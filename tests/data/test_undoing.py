import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import in_memory
from rmldnn.data.transform import Boxes, Part
from rmldnn.data.transforms.geometric import moved
from rmldnn.data.transforms.letterbox import letterbox
from rmldnn.data.transforms.pad import pad_to
from rmldnn.data.transforms.resize import resize
from rmldnn.data.transforms.rotate import rotate
from rmldnn.data.undoing import Undoing

WAYS = {
    "nothing": [],
    "resize": [resize(size=[48, 48])],
    "letterbox": [letterbox(size=[48, 64])],
    "quarter turn": [rotate(angle=180)],
    "padding, then less": [pad_to(size=[60, 50]), resize(size=[33, 21])],
}


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_boxes_come_back_to_where_they_were(pictures, way, data):
    height, width = data.draw(st.integers(20, 40)), data.draw(st.integers(20, 40))
    source = pictures(np.zeros((height, width, 1), np.uint8))
    low = [data.draw(st.floats(0, limit - 6)) for limit in (width, height)]
    high = [data.draw(st.floats(start + 5, limit)) for start, limit in zip(low, (width, height), strict=True)]
    box = np.array([[0, *low, *high]], np.float32)
    boxes = Boxes((height, width), box)
    for step in WAYS[way]:
        boxes = moved(boxes, Part("target"), step.motion(boxes.extent))
    undoing = Undoing.of(Pipeline(source, Part("input"), list(enumerate(WAYS[way]))))
    np.testing.assert_allclose(undoing.boxes(0, boxes.values[:, 1:].astype(np.float64)), box[:, 1:], atol=1e-3)


def test_boxes_end_with_the_picture(pictures):
    undoing = Undoing.of(Pipeline(pictures(np.zeros((10, 20, 1))), Part("input"), [(0, letterbox(size=[20, 20]))]))
    assert undoing.boxes(0, np.array([[-5.0, 0, 30, 30]])).tolist() == [[0, 0, 20, 10]]


def test_what_was_done_when_pictures_were_read_ahead_is_undone_too(pictures):
    source = pictures(np.zeros((10, 20, 1), np.uint8))
    pipeline = in_memory(Pipeline(source, Part("input"), [(0, resize(size=[40, 40]))]))
    assert not pipeline.steps
    assert Undoing.of(pipeline).boxes(0, np.array([[20.0, 20, 40, 40]])).tolist() == [[10, 5, 20, 10]]


def test_no_boxes(pictures):
    undoing = Undoing.of(Pipeline(pictures(np.zeros((10, 20, 1))), Part("input"), [(0, resize(size=[20, 20]))]))
    assert undoing.boxes(0, np.empty((0, 4))).shape == (0, 4)
