import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmldnn.data.transforms.flip import (
    random_depth_flip,
    random_flip_axes,
    random_horizontal_flip,
    random_vertical_flip,
)

AXES = {random_horizontal_flip: -2, random_vertical_flip: -3, random_depth_flip: -4}
KINDS = ["uint8", "int16", "int64", "float32", "bool"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flip", AXES)
def test_one_axis_is_turned_around_bit_for_bit(apply, numbers_of, flip, kind):
    volume = numbers_of((3, 4, 5, 2), kind)
    assert np.array_equal(apply(flip(probability=1.0), volume), np.flip(volume, AXES[flip]))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("flip", [random_horizontal_flip, random_vertical_flip])
def test_pictures_of_bytes_are_turned_around_bit_for_bit(apply, numbers_of, flip, channels):
    picture = numbers_of((4, 5, channels))
    assert np.array_equal(apply(flip(probability=1.0), picture), np.flip(picture, AXES[flip]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extent=st.lists(st.integers(1, 5), min_size=1, max_size=3), kind=st.sampled_from(KINDS), index=st.integers(0, 99)
)
def test_twice_is_not_at_all(apply, numbers_of, extent, kind, index):
    sample, flip = numbers_of((*extent, 2), kind), random_flip_axes(probability=0.5)
    assert np.array_equal(apply(flip, apply(flip, sample, index=index), index=index), sample)


@pytest.mark.parametrize("flip", AXES)
def test_the_probability_is_kept(apply, flip):
    sample = np.arange(8).reshape(2, 2, 2, 1)
    flipped = [not np.array_equal(apply(flip(probability=0.3), sample, index=index), sample) for index in range(400)]
    assert np.mean(flipped) == pytest.approx(0.3, abs=0.08)


def test_axes_are_drawn_independently(apply):
    sample = np.arange(8).reshape(2, 2, 2, 1)
    flip = random_flip_axes(probability=0.5)
    assert len({apply(flip, sample, index=index).tobytes() for index in range(100)}) == 8
