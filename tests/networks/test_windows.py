"""`same` padding is TensorFlow's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.errors import NetworkError
from rmldnn.networks.windows import Window, per_axis, same_sides

NUMBER = st.integers(1, 9)


@pytest.mark.parametrize(
    ("extent", "reach", "stride", "sides"),
    [(4, 3, 2, (0, 1)), (5, 3, 2, (1, 1)), (4, 4, 2, (1, 1)), (5, 1, 2, (0, 0)), (7, 2, 3, (0, 1)), (5, 2, 1, (0, 1))],
)
def test_the_odd_element_comes_last(extent, reach, stride, sides):
    assert same_sides(extent, reach, stride) == sides


@given(extent=NUMBER, window=NUMBER, stride=NUMBER, hole=NUMBER)
def test_same_padding_makes_as_many_windows_as_strides_fit(extent, window, stride, hole):
    slid = Window((window,), (stride,), (hole,))
    assert slid.counts((extent,), slid.same((extent,))) == slid.same_counts((extent,)) == (-(-extent // stride),)


@given(extent=NUMBER, window=NUMBER, hole=NUMBER)
def test_padding_of_an_unknown_extent_is_known_with_stride_1(extent, window, hole):
    slid = Window((window,), (1,), (hole,))
    assert slid.same((None,)) == slid.same((extent,))


def test_padding_of_an_unknown_extent_is_unknown_with_strides():
    assert Window((3,), (2,), (1,)).same((None,)) is None


def test_one_number_stands_for_all_axes():
    assert per_axis(3, 2, "strides") == (3, 3)


def test_a_list_of_another_length_is_refused():
    with pytest.raises(NetworkError, match=r"`strides` must be a number or a list of 2, got \[1, 2, 3\]"):
        per_axis([1, 2, 3], 2, "strides")
