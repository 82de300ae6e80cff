"""Keras' axes and shapes as dimensions of tensors."""

import pytest

from rmldnn.errors import NetworkError
from rmldnn.networks.layout import dimension, size, tensor_shape


@pytest.mark.parametrize(("axis", "dim"), [(-1, 1), (3, 1), (1, 2), (-3, 2), (2, 3), (-2, 3)])
def test_axes_of_an_image(axis, dim):
    assert dimension(axis, (4, 5, 6)) == dim


@pytest.mark.parametrize("axis", [-1, 1])
def test_the_one_axis_of_features(axis):
    assert dimension(axis, (7,)) == 1


@pytest.mark.parametrize("axis", [0, 4, -4])
def test_axes_that_do_not_exist_are_refused(axis):
    with pytest.raises(NetworkError, match=rf"axis {axis} is no axis of its input of 4 x 5 x 6; use -1, or 1 to 3"):
        dimension(axis, (4, 5, 6))


def test_tensors_are_channels_first():
    assert tensor_shape((4, 5, 6)) == (6, 4, 5)


def test_unknown_extents_are_question_marks():
    assert size((None, 5, 6)) == "? x 5 x 6"
