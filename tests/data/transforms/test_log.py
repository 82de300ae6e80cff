import numpy as np
import pytest

from rmldnn.data.transforms.log import log
from rmldnn.errors import DataError


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int64"])
@pytest.mark.parametrize("part", ["input", "target"])
def test_every_number_becomes_its_logarithm(apply, kind, part):
    sample = np.array([[1], [2], [200]], kind)
    result = apply(log(), sample, part)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, np.log([[1], [2], [200]]), rtol=1e-6)


def test_classes_stay(apply):
    sample = np.zeros((2, 2, 1), np.uint8)
    assert apply(log(), sample, "mask") is sample


@pytest.mark.parametrize("value", [0, -1.5, np.nan])
def test_what_has_no_logarithm(apply, value):
    with pytest.raises(DataError, match="`log` needs numbers greater than 0, but the smallest is (0|-1.5|nan)"):
        apply(log(), np.array([[1.0], [value]], np.float32))
