import math

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from rmldnn.data.transforms.rotate import random_rotate, random_rotate_90, rotate
from rmldnn.errors import ConfigError

ABOUT = {0: (1, 2), 1: (0, 2), 2: (0, 1)}


@pytest.mark.parametrize("part", ["input", "mask"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int64", "float32"])
@pytest.mark.parametrize("turns", [1, 2, 3, -1, 5])
def test_quarter_turns_of_squares_are_clockwise_and_exact(apply, numbers_of, turns, kind, part):
    picture = numbers_of((9, 9, 3), kind)
    assert np.array_equal(apply(rotate(angle=90.0 * turns), picture, part), np.rot90(picture, -turns))


def test_a_full_turn_copies_nothing(apply, numbers_of):
    picture = numbers_of((4, 6, 1))
    assert apply(rotate(angle=360.0), picture) is picture


def test_the_canvas_stays_and_corners_are_zero(apply):
    turned = apply(rotate(angle=45.0), np.full((20, 30, 3), 255, np.uint8))
    assert turned.shape == (20, 30, 3)
    assert not turned[[0, 0, -1, -1], [0, -1, 0, -1]].any()


@pytest.mark.parametrize("angle", [15.0, -70.0, 123.0])
@pytest.mark.parametrize(("part", "order"), [("input", 1), ("mask", 0)])
def test_scipy_agrees(apply, numbers_of, angle, part, order):
    picture = numbers_of((30, 41, 1), "float32")
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    inverse = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([14.5, 20])
    expected = affine_transform(picture[..., 0], inverse, middle - inverse @ middle, order=order, mode="grid-constant")
    turned = apply(rotate(angle=angle), picture, part)[..., 0]
    close = np.isclose(turned, expected, atol=1e-3)
    assert close.all() if order else close.mean() > 0.995  # half-way places may be rounded either way


@pytest.mark.parametrize("axis", ABOUT)
def test_volumes_are_turned_about_any_axis(apply, numbers_of, axis):
    volume = numbers_of((6, 6, 6, 2), "int16")
    angles = [90.0 if number == axis else 0.0 for number in range(3)]
    assert np.array_equal(apply(rotate(angle=angles), volume), np.rot90(volume, -1, ABOUT[axis]))


def test_turns_about_several_axes_follow_one_another(apply, numbers_of):
    volume = numbers_of((6, 6, 6, 2), "int16")
    expected = np.rot90(np.rot90(np.rot90(volume, -1, (1, 2)), -2, (0, 2)), -3, (0, 1))
    assert np.array_equal(apply(rotate(angle=[90.0, 180.0, 270.0]), volume), expected)
    assert np.array_equal(apply(rotate(angle=[90.0, 180.0, 270.0]), volume, "mask"), expected)


def test_slices_of_volumes_are_turned_like_pictures(apply, numbers_of):
    volume = numbers_of((3, 20, 21, 2))
    expected = [apply(rotate(angle=20.0), one) for one in volume]
    assert np.array_equal(apply(rotate(angle=20.0), volume), expected)


def test_angles_are_drawn_up_to_the_limit():
    generator = np.random.default_rng(0)
    matrices = [random_rotate(angle=30.0).motion((8, 8), generator).matrix for _ in range(300)]
    angles = np.degrees([math.atan2(matrix[0, 1], matrix[0, 0]) for matrix in matrices])
    assert -30 <= angles.min() < -27 < 27 < angles.max() <= 30


@pytest.mark.parametrize("make", [rotate, random_rotate])
def test_there_are_one_or_three_angles(make):
    with pytest.raises(ConfigError, match=rf"data\.transforms\.{make.__name__}: must be one angle, or three .*, got 2"):
        make(angle=[1.0, 2.0])


def test_pictures_have_no_three_axes_to_turn_about(apply):
    with pytest.raises(ConfigError, match="acts on the depth"):
        apply(rotate(angle=[1.0, 2.0, 3.0]), np.zeros((4, 4, 1), np.uint8))


def test_squares_turn_by_all_quarters_and_others_by_halves(apply, numbers_of):
    square, wide = numbers_of((4, 4, 1)), numbers_of((4, 5, 1))
    turn = random_rotate_90(probability=0.5)
    assert {apply(turn, square, index=index).tobytes() for index in range(60)} == {
        np.rot90(square, turns).tobytes() for turns in range(4)
    }
    assert {apply(turn, wide, index=index).tobytes() for index in range(60)} == {
        wide.tobytes(), np.rot90(wide, 2).tobytes()
    }  # fmt: skip


def test_the_log_shows_the_angles():
    assert (str(rotate(angle=15)), str(rotate(angle=[1.5, 0.0, -3.0]))) == ("15", "[1.5, 0, -3]")
