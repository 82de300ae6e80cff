import numpy as np
import pytest

from rmldnn.data.finite import is_finite, require_finite
from rmldnn.errors import DataError


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 17, -1])
def test_one_value_that_is_no_number_is_found_wherever_it_is(value, dtype, place):
    array = np.zeros((5, 7), dtype)
    array.flat[place] = value
    assert not is_finite(array)


def test_huge_numbers_are_numbers():
    assert is_finite(np.full(10, np.finfo(np.float32).max, np.float32))


@pytest.mark.parametrize("array", [np.arange(3), np.zeros((0, 4), np.float32), np.array([True])])
def test_integers_and_nothing_are_finite(array):
    assert is_finite(array)


def test_the_message_counts():
    with pytest.raises(DataError, match="here: 2 of 3 values are not a number or infinite"):
        require_finite(np.array([1, np.nan, np.inf]), lambda: "here")
