import numpy as np
import pytest

from rmldnn.data.transform import Part
from rmldnn.data.transforms.resize import resize
from rmldnn.errors import ConfigError

IMAGE, MASK = Part("input"), Part("target", mask=True)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_size_is_width_and_height(channels):
    assert resize(size=[8, 5])(np.zeros((3, 4, channels), np.uint8), IMAGE).shape == (5, 8, channels)


def test_images_are_blended():
    assert resize(size=[4, 1])(np.array([[[0], [200]]], np.uint8), IMAGE).ravel().tolist() == [0, 50, 150, 200]


def test_masks_are_not():
    assert resize(size=[4, 1])(np.array([[[0], [200]]], np.uint8), MASK).ravel().tolist() == [0, 0, 200, 200]


def test_an_image_of_the_size_is_not_copied():
    pixels = np.zeros((5, 8, 1), np.uint8)
    assert resize(size=[8, 5])(pixels, IMAGE) is pixels


def test_the_log_shows_the_size():
    assert str(resize(size=[8, 5])) == "[8, 5]"


@pytest.mark.parametrize("size", [[10**20, 1], [2**16, 2**16]])
def test_a_size_that_no_picture_has_is_a_fault_of_the_configuration(size):
    with pytest.raises(ConfigError, match=rf"^data\.transforms: .*{size[0]} x {size[1]}.* pixels"):
        resize(size=size)
