import numpy as np
import pytest

from rmldnn.data.transform import Boxes, Part
from rmldnn.data.transforms.letterbox import letterbox
from rmldnn.errors import ConfigError

IMAGE, MASK, TARGET = Part("input"), Part("target", mask=True), Part("target")


def test_proportions_stay_and_grey_fills_the_rest():
    pixels = np.full((20, 40, 3), 200, np.uint8)
    moved = letterbox(size=[80, 60])(pixels, IMAGE)
    assert moved.shape == (60, 80, 3)
    assert (moved[10:50] == 200).all()
    assert (moved[:10] == 127).all()
    assert (moved[50:] == 127).all()


def test_a_picture_that_is_too_high():
    moved = letterbox(size=[30, 30])(np.full((60, 20, 1), 9, np.uint8), IMAGE)
    assert (moved[:, 10:20] == 9).all()
    assert set(np.unique(moved)) == {9, 127}


@pytest.mark.parametrize(("kind", "grey"), [("uint16", 32767), ("float32", 0.5)])
def test_grey_is_half_of_white(kind, grey):
    assert letterbox(size=[4, 4])(np.zeros((2, 4, 1), kind), IMAGE)[0, 0, 0] == grey


def test_masks_are_not_blended_and_have_class_0_beside_them():
    moved = letterbox(size=[8, 8])(np.array([[[1], [2]]], np.uint8), MASK)
    assert moved[2:6, :, 0].tolist() == [[1] * 4 + [2] * 4] * 4
    assert not moved[[0, 1, 6, 7]].any()


def test_boxes_go_along():
    boxes = Boxes((20, 40), np.array([[3, 0, 0, 40, 20], [1, 10, 5, 20, 15]], np.float32))
    moved = letterbox(size=[80, 60])(boxes, TARGET)
    assert moved.extent == (60, 80)
    assert moved.values.tolist() == [[3, 0, 10, 80, 50], [1, 20, 20, 40, 40]]


def test_a_picture_of_the_size_is_not_copied():
    pixels = np.zeros((5, 8, 1), np.uint8)
    assert letterbox(size=[8, 5])(pixels, IMAGE) is pixels


def test_the_thinnest_picture_keeps_a_pixel():
    assert letterbox(size=[8, 8])(np.full((1, 1000, 1), 255, np.uint8), IMAGE).max() == 255


def test_the_size_has_one_to_three_numbers():
    with pytest.raises(ConfigError, match="must be a list of 2 numbers"):
        letterbox(size=[1, 2, 3, 4])
