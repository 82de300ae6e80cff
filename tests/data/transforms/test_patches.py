import numpy as np
import pytest

from rmldnn.data.transform import Boxes
from rmldnn.data.transforms.patches import cutout, random_patches


@pytest.mark.parametrize("extent", [(30,), (30, 40), (12, 14, 16)])
def test_input_and_target_of_patches_make_up_the_sample(apply, numbers_of, extent):
    sample = numbers_of((*extent, 3)) | 1
    holes, fillings = (apply(random_patches(number=4, size=5), sample, part) for part in ("input", "target"))
    assert np.array_equal(holes + fillings, sample)
    assert not (holes * fillings).any()
    assert holes.any() and fillings.any()


def test_one_patch_is_a_square_cut_off_at_the_borders(apply):
    heights, areas = set(), set()
    for index in range(200):
        rows, columns = np.nonzero(
            apply(cutout(number=1, size=4), np.ones((10, 10, 1), np.uint8), index=index)[..., 0] == 0
        )
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width
        heights.add(height)
        areas.add(len(rows))
    assert heights == {2, 3, 4}
    assert 16 in areas


def test_patches_that_cover_everything(apply):
    assert not apply(random_patches(number=1, size=99), np.ones((10, 10, 1), np.uint8)).any()


@pytest.mark.parametrize("part", ["target", "mask"])
def test_cutout_leaves_targets_alone(apply, numbers_of, part):
    sample = numbers_of((9, 9, 1))
    assert apply(cutout(number=3, size=3), sample, part) is sample


@pytest.mark.parametrize("make", [cutout, random_patches])
def test_boxes_stay(apply, make):
    boxes = Boxes((9, 9), np.zeros((1, 5), np.float32))
    assert apply(make(number=1, size=3), boxes) is boxes


def test_patches_are_cut_in_tests_as_well_but_cutout_is_not():
    assert not random_patches(number=1, size=3).training_only
    assert cutout(number=1, size=3).training_only


def test_the_log_shows_both():
    assert str(random_patches(number=16, size=8)) == "number: 16, size: 8"
