"""Brightness, contrast, gamma, noise and blur."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from rmldnn.data.transform import Boxes
from rmldnn.data.transforms.blur import gaussian_blur
from rmldnn.data.transforms.intensity import random_brightness, random_contrast, random_gamma
from rmldnn.data.transforms.noise import gaussian_noise
from rmldnn.errors import ConfigError

ALL = [
    random_brightness(amount=0.5),
    random_contrast(amount=0.5),
    random_gamma(amount=0.5),
    gaussian_noise(std=0.1),
    gaussian_blur(sigma=[1.0, 2.0]),
]
KINDS = ["uint8", "uint16", "int16", "int32", "int64", "float32"]
NAMES = [transform.name for transform in ALL]


@pytest.mark.parametrize("part", ["target", "mask"])
@pytest.mark.parametrize("transform", ALL, ids=NAMES)
def test_targets_stay(apply, numbers_of, transform, part):
    sample = numbers_of((6, 7, 3))
    assert apply(transform, sample, part) is sample


@pytest.mark.parametrize("transform", ALL, ids=NAMES)
def test_boxes_stay(apply, transform):
    boxes = Boxes((9, 9), np.zeros((1, 5), np.float32))
    assert apply(transform, boxes) is boxes


@pytest.mark.parametrize("extent", [(40,), (11, 12), (5, 6, 7)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("transform", ALL, ids=NAMES)
def test_inputs_keep_type_and_shape_and_are_changed(apply, numbers_of, transform, kind, extent):
    sample = numbers_of((*extent, 6), kind)
    before = sample.copy()
    changed = apply(transform, sample)
    assert (changed.dtype, changed.shape) == (sample.dtype, sample.shape)
    assert np.array_equal(sample, before)
    faint = transform.name == "gaussian_noise" and kind.startswith("int")  # a tenth of 1
    assert faint or not np.array_equal(changed, sample)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("transform", ALL[:3], ids=NAMES[:3])
def test_a_table_gives_what_arithmetic_gives(apply, numbers_of, transform, kind):
    sample = numbers_of((160, 160, 1), kind)
    if transform.name == "random_contrast":
        whole = apply(transform, sample).astype(float)
        mean, factor = sample.mean(), transform.factor(np.random.default_rng(0))
        assert factor > 0
        slope = np.polyfit(sample.ravel(), whole.ravel(), 1)
        assert abs(np.polyval(slope, mean) - mean) < 0.02 * np.iinfo(kind).max
    else:
        assert np.array_equal(apply(transform, sample)[:5], apply(transform, sample[:5]))


def test_brightness_multiplies_and_stops_at_white(apply):
    assert apply(random_brightness(amount=[2.0, 2.0]), np.array([[[10], [200]]], np.uint8)).ravel().tolist() == [
        20,
        255,
    ]


def test_contrast_spreads_about_the_mean(apply):
    sample = np.array([[[90], [110]]], np.uint8)
    assert apply(random_contrast(amount=[2.0, 2.0]), sample).ravel().tolist() == [80, 120]


def test_gamma_bends_the_scale_from_black_to_white(apply):
    sample = np.array([[[0], [51], [255]]], np.uint8)
    assert apply(random_gamma(amount=[2.0, 2.0]), sample).ravel().tolist() == [0, 10, 255]


def test_gamma_bends_floats_between_their_extremes(apply):
    sample = np.array([[[-1], [0], [1]]], np.float32)
    assert apply(random_gamma(amount=[2.0, 2.0]), sample).ravel().tolist() == [-1, -0.5, 1]


def test_gamma_of_a_sample_without_contrast(apply):
    sample = np.full((3, 3, 1), 5, np.float32)
    assert np.array_equal(apply(random_gamma(amount=0.5), sample), sample)


@pytest.mark.parametrize("amount", [1.0, 3.0])
def test_factors_are_not_negative(amount):
    assert str(random_brightness(amount=amount)).startswith("[0, ")


def test_powers_are_above_zero():
    with pytest.raises(ConfigError, match=r"data\.transforms\.random_gamma: draws powers from 0 to 2"):
        random_gamma(amount=1.0)


@pytest.mark.parametrize("make", [random_brightness, random_contrast, random_gamma])
@pytest.mark.parametrize("amount", [[1.0], [2.0, 1.0], [1.0, 2.0, 3.0]])
def test_a_list_has_the_lowest_and_the_highest(make, amount):
    with pytest.raises(ConfigError, match=r"must be a number or a list of the lowest and the highest"):
        make(amount=amount)


@pytest.mark.parametrize(("kind", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("int32", 1 / 1000)])
def test_noise_has_the_deviation(apply, kind, white):
    sample = np.full((100, 100, 1), np.iinfo(kind).max // 2 if kind[0] == "u" else 0, kind)
    std = 0.1 if kind != "int32" else 100.0
    noise = apply(gaussian_noise(std=std), sample).astype(float) - sample
    assert noise.std() == pytest.approx(0.1 * white if kind != "int32" else 100, rel=0.03)


def test_noise_stops_at_black_and_white(apply):
    sample = np.array([0, 255] * 500, np.uint8).reshape(10, 100, 1)
    changed = apply(gaussian_noise(std=0.1), sample)
    assert (abs(changed.astype(int) - sample) < 128).all()


@pytest.mark.parametrize(("kind", "tolerance"), [("uint8", 1), ("int16", 1), ("float32", 1e-3)])
@pytest.mark.parametrize("extent", [(40,), (30, 31), (9, 10, 11)])
def test_scipy_blurs_alike(apply, numbers_of, extent, kind, tolerance):
    sample = numbers_of((*extent, 2), kind)
    expected = gaussian_filter(sample.astype(float), [1.5] * len(extent) + [0], mode="reflect", truncate=4)
    np.testing.assert_allclose(apply(gaussian_blur(sigma=1.5), sample), expected, atol=tolerance)


def test_a_tiny_blur_copies_nothing(apply, numbers_of):
    sample = numbers_of((4, 4, 1))
    assert apply(gaussian_blur(sigma=0.01), sample) is sample
