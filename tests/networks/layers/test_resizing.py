"""Numbers printed by Keras 2.21 on TensorFlow."""

import numpy
import pytest
import torch

from rmldnn.networks.layers.resizing import _matrix

RAMP = torch.tensor([0.0, 1.0, 4.0, 9.0, 16.0, 25.0])
EXPECTED = {
    "bilinear": [0.25, 3.25, 10.75, 22.75],
    "nearest": [0.0, 4.0, 9.0, 25.0],
    "bicubic": [0.12409, 3.0625, 10.5625, 23.44526],
    "area": [0.33333, 3.0, 11.33333, 22.0],
    "lanczos3": [0.05931, 3.14764, 10.24377, 23.63476],
    "lanczos5": [0.06038, 2.89794, 9.91725, 23.60995],
    "gaussian": [0.26894, 3.39711, 10.64088, 22.57952],
    "mitchellcubic": [0.19254, 3.17361, 10.67361, 22.9788],
}


@pytest.mark.parametrize("interpolation", EXPECTED)
def test_interpolations(build, interpolation):
    y = build("Resizing", [1, 6, 1], height=1, width=4, interpolation=interpolation)(RAMP.view(1, 1, 1, 6))
    torch.testing.assert_close(y.flatten(), torch.tensor(EXPECTED[interpolation]), rtol=0, atol=2e-5)


@pytest.mark.parametrize("interpolation", [one for one in EXPECTED if one != "nearest"])
@pytest.mark.parametrize("antialias", [False, True])
def test_shares_sum_up_to_1(interpolation, antialias):
    assert numpy.allclose(_matrix(7, 3, interpolation, antialias).sum(1), 1)


def test_any_extent_is_resized(build):
    module = build("Resizing", [None, None, 2], height=3, width=4, interpolation="bicubic")
    assert module(torch.rand(1, 2, 5, 9)).shape == (1, 2, 3, 4)


def test_what_would_be_distorted_is_cut_off(build):
    module = build("Resizing", [4, 8, 1], height=2, width=2, interpolation="nearest", crop_to_aspect_ratio=True)
    x = torch.arange(8.0).expand(1, 1, 4, 8)
    assert module(x)[0, 0, 0].tolist() == [3, 5]


def test_margins_keep_the_ratio(build):
    module = build("Resizing", [2, 4, 1], height=4, width=4, pad_to_aspect_ratio=True, fill_value=7.0)
    assert module(torch.ones(1, 1, 2, 4))[0, 0, :, 0].tolist() == [7, 1, 1, 7]


def test_cropping_and_padding_exclude_each_other(complaint):
    ratio = {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}
    assert "cannot both be true" in complaint("Resizing", [4, 4, 1], height=2, width=2, **ratio)


def test_the_middle_is_cropped(build):
    y = build("CenterCrop", [1, 5, 1], height=1, width=2)(torch.arange(5.0).view(1, 1, 1, 5))
    assert y.flatten().tolist() == [1, 2]


def test_images_too_small_to_crop_are_resized(build):
    assert build("CenterCrop", [4, 4, 1], height=6, width=3)(torch.rand(1, 1, 4, 4)).shape == (1, 1, 6, 3)
