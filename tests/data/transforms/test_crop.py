import numpy as np
import pytest

from rmldnn.data.transforms.crop import center_crop, jitter_crop, random_crop
from rmldnn.errors import DataError

ROWS = np.arange(7 * 9).reshape(7, 9, 1)


def test_the_middle_is_cut_out(apply):
    assert apply(center_crop(size=[3, 5]), ROWS)[..., 0].tolist() == ROWS[1:6, 3:6, 0].tolist()


def test_every_slice_of_a_volume_is_cut(apply):
    volume = np.stack([ROWS, ROWS + 100])
    assert np.array_equal(apply(center_crop(size=[3, 5]), volume), volume[:, 1:6, 3:6])


@pytest.mark.parametrize("make", [center_crop, random_crop])
def test_a_sample_that_is_too_small_is_an_error_with_a_remedy(apply, make):
    with pytest.raises(DataError, match=r"cut 10 x 5 \(width x height\) out of a sample of 9 x 7.*`pad_to`"):
        apply(make(size=[10, 5]), ROWS)


def test_crops_are_anywhere_and_have_the_size(apply):
    corners = {apply(random_crop(size=[8, 6]), ROWS, index=index)[0, 0, 0] for index in range(60)}
    assert corners == {0, 1, 9, 10}


def test_a_center_crop_of_the_size_leaves_a_random_crop_alone(apply):
    cut = apply(random_crop(size=[4, 4]), ROWS)
    assert apply(center_crop(size=[4, 4]), cut) is cut


def test_jitter_crops_no_side_by_more_than_half_of_its_part(apply):
    for index in range(50):
        cut = apply(jitter_crop(amount=0.5), np.arange(40 * 60).reshape(40, 60, 1), index=index)
        (top, left), (bottom, right) = divmod(cut[0, 0, 0], 60), divmod(cut[-1, -1, 0], 60)
        assert 0 <= top < 10 <= 29 < bottom <= 39
        assert 0 <= left < 15 <= 44 < right <= 59


def test_sides_are_jittered_independently(apply):
    cut = apply(jitter_crop(amount=0.9), np.arange(100 * 100).reshape(100, 100, 1))
    (top, left), (bottom, right) = divmod(cut[0, 0, 0], 100), divmod(cut[-1, -1, 0], 100)
    assert len({top, left, 99 - bottom, 99 - right}) == 4


@pytest.mark.parametrize(("make", "keys", "text"), [(center_crop, [3, 5], "[3, 5]"), (jitter_crop, 0.25, "0.25")])
def test_the_log_shows_what_the_user_wrote(make, keys, text):
    assert str(make(size=keys) if isinstance(keys, list) else make(amount=keys)) == text


@pytest.mark.parametrize("extent", [(1, 2), (3, 4)])
def test_something_is_left_of_the_smallest_samples(apply, extent):
    for index in range(50):
        assert apply(jitter_crop(amount=1.0), np.ones((*extent, 1)), index=index).size > 0
