import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("size", [[5, 9, 13], [3, 30, 30], [7, 8, 9]])
def test_torch_resizes_volumes_alike(numbers_of, kind, size):
    volume = numbers_of((6, 11, 12, 2), kind)
    if kind == "int32":
        volume >>= 14  # OpenCV's weights are 32-bit floats
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(volume.astype(np.float64)).movedim(-1, 0)[None], size, mode="trilinear"
    )[0].movedim(0, -1)
    resized = resize(size=size)(volume, IMAGE)
    assert resized.dtype == volume.dtype
    np.testing.assert_allclose(resized, expected, atol=1e-5 if kind == "float32" else 0.75)


@pytest.mark.parametrize("size", [[5, 9, 13], [3, 30, 30], [13, 5], [40, 31]])
def test_torch_takes_the_same_nearest_pixels(numbers_of, size):
    mask = numbers_of((6, 11, 12, 1), "int64") >> 12
    extent = size if len(size) == 3 else [6, size[1], size[0]]
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(mask.astype(np.float64)).movedim(-1, 0)[None], extent, mode="nearest-exact"
    )[0].movedim(0, -1)
    assert np.array_equal(resize(size=size)(mask, MASK), expected)


def test_masks_are_exact_beyond_what_floats_hold():
    mask = np.full((4, 4, 1), 2**62 + 1)
    assert (resize(size=[9, 9])(mask, MASK) == 2**62 + 1).all()
