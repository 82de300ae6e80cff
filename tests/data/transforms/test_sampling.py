import numpy as np
import pytest

from rmldnn.data.transforms.sampling import cast, linear, nearest


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "int64", "uint64"])
def test_numbers_beyond_a_type_become_its_ends(kind):
    limits = np.iinfo(kind)
    low, high = cast(np.array([-1e30, 1e30]), np.dtype(kind)).tolist()
    assert low == limits.min
    assert high == pytest.approx(limits.max, rel=1e-15)
    assert high <= limits.max


def test_numbers_are_rounded():
    assert cast(np.array([1.4, 1.6, -0.6]), np.dtype("int8")).tolist() == [1, 2, -1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("kind", ["uint16", "int16", "int32", "float32", "float64"])
def test_places_are_not_rounded(numbers_of, kind, channels):
    picture = np.cumsum(np.full((8, 9, channels), 100), axis=1).astype(kind)
    rows, columns = np.indices((8, 8), dtype=np.float32)
    columns += np.float32(0.21)
    np.testing.assert_allclose(linear(picture, [rows, columns], (0, 1)) - picture[:, :8], 21, atol=0.01)


def test_far_outside_is_zero():
    picture = np.ones((3, 3, 1), np.int64)
    places = [np.array([[-1e9, 1e9, -0.51, 2.5, 2.49]], np.float32), np.zeros((1, 5), np.float32)]
    assert nearest(picture, places, (0, 1)).ravel().tolist() == [0, 0, 0, 0, 1]
