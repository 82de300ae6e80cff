import numpy as np
import pytest

from rmldnn.data.transforms.standardize import standardize


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int64", "float32"])
@pytest.mark.parametrize("extent", [(40,), (11, 12), (5, 6, 7)])
def test_each_channel_gets_mean_0_and_deviation_1(apply, numbers_of, extent, kind, channels):
    result = apply(standardize(), numbers_of((*extent, channels), kind)).reshape(-1, channels)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(result.std(axis=0), 1, atol=1e-4)


def test_the_whole_sample_keeps_the_differences_of_channels(apply):
    sample = np.stack([np.full((4, 4), 10), np.full((4, 4), 30)], axis=-1).astype(np.uint8)
    result = apply(standardize(per="sample"), sample)
    assert np.array_equal(np.unique(result), [-1, 1])


@pytest.mark.parametrize("value", [0, 0.1, 1234.567])
def test_a_sample_without_contrast_is_zero(apply, value):
    assert abs(apply(standardize(), np.full((9, 9, 1), value, np.float32))).max() < 1e-3


@pytest.mark.parametrize("part", ["target", "mask"])
def test_targets_stay(apply, numbers_of, part):
    sample = numbers_of((4, 4, 1))
    assert apply(standardize(), sample, part) is sample
