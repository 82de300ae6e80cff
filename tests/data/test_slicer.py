import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data.slicer import Grid, slicer
from rmldnn.errors import ConfigError


@pytest.mark.parametrize(
    ("extent", "keys", "counts"),
    [
        ((704, 590, 1006), {"sizes": [64, 64, 256], "strides": [64, 64, 17], "discard_remainders": True}, (11, 9, 45)),
        ((78, 590, 1006), {"sizes": [64, 64, 256], "strides": [64, 64, 17], "discard_remainders": True}, (1, 9, 45)),
        ((704, 590, 1006), {"sizes": [64, 64, 256], "strides": [64, 64, 17]}, (11, 10, 46)),
        ((78, 590, 1006), {"sizes": [64, 64, 256], "strides": [64, 64, 17]}, (2, 10, 46)),
        ((78, 590, 1006), {"sizes": [64, 576, 992], "discard_remainders": True}, (1, 1, 1)),
        ((64, 64, 64), {"sizes": [1, 32, 32]}, (64, 2, 2)),
        ((64, 64, 64), {"sizes": [64, 64, 1]}, (1, 1, 64)),
        ((540, 131, 1001), {"sizes": [1, 131, 1001]}, (540, 1, 1)),
        ((540, 131, 1001), {"sizes": [540, 1, 1001]}, (1, 131, 1)),
    ],
)
def test_counts_are_those_of_the_original(extent, keys, counts):
    grid = Grid(extent, slicer(**keys))
    assert grid.counts == counts
    assert len(grid) == math.prod(counts)


def test_nothing_fits_into_an_array_smaller_than_a_slice_without_remainders():
    assert len(Grid((3, 9), slicer(sizes=[4, 4], discard_remainders=True))) == 0


def test_padded_sizes_put_the_odd_zero_behind():
    made = slicer(sizes=[1, 131, 1001], padded_sizes=[1, 144, 1008])
    assert made.pads == ((0, 0), (6, 7), (3, 4))


def test_axes_of_one_vanish_from_the_sample():
    assert slicer(sizes=[1, 32, 16]).sample_extent == (32, 16)


def test_transposed_slices_swap_their_axes():
    assert slicer(sizes=[1, 32, 16], transpose=True).sample_extent == (16, 32)


def test_what_is_covered_ends_with_the_last_slice_where_remainders_are_left_out():
    assert Grid((78, 590, 1006), slicer(sizes=[64, 576, 992], discard_remainders=True)).covered == (64, 576, 992)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3),
)
@settings(max_examples=100, deadline=None)
def test_slices_side_by_side_or_overlapping_cover_everything(axes):
    extent, sizes, strides = (tuple(axis[place] for axis in axes) for place in range(3))
    strides = tuple(map(min, sizes, strides))
    grid = Grid(extent, slicer(sizes=list(sizes), strides=list(strides)))
    places = set()
    for number in range(len(grid)):
        window = grid.window(number)
        places |= {(axis, at) for axis, part in enumerate(window) for at in range(part.start, part.stop)}
    assert places == {(axis, at) for axis, size in enumerate(extent) for at in range(size)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sizes": [4, 4], "strides": [1]}, r"data\.slicers\.strides: has 1 values, but `sizes` has 2"),
        ({"sizes": [4], "padding": [1], "padded_sizes": [6]}, "both say how much is added"),
        ({"sizes": [4], "padded_sizes": [3]}, "must not be smaller than `sizes`"),
        ({"sizes": [4, 4, 4], "transpose": True}, "for slices of two axes"),
        ({"sizes": [1, 2, 3, 4]}, "must be 1, 2 or 3 extents"),
    ],
)
def test_contradictions_are_named(keys, message):
    with pytest.raises(ConfigError, match=message):
        slicer(**keys)
