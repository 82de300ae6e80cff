import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from rmldnn.data.transforms.elastic import random_elastic
from rmldnn.errors import ConfigError


@pytest.mark.parametrize("extent", [(50,), (50, 40), (20, 30, 25)])
def test_displacements_are_smooth_and_at_most_the_strength(extent):
    motion = random_elastic(strength=3.0, smoothness=8.0).motion(extent, np.random.default_rng(0))
    for place, own in zip(motion.places(), np.indices(extent), strict=True):
        displacement = place - own
        assert 0.5 < abs(displacement).max() <= 3
        assert max(abs(np.diff(displacement, axis=axis)).max() for axis in range(len(extent))) < 2 * 3 / 8


@pytest.mark.parametrize("extent", [(50, 40), (20, 30, 25)])
@pytest.mark.parametrize(("nearest", "order"), [(False, 1), (True, 0)])
def test_scipy_agrees(numbers_of, extent, nearest, order):
    sample = numbers_of((*extent, 1), "float32")
    motion = random_elastic(strength=3.0, smoothness=8.0).motion(extent, np.random.default_rng(0))
    expected = map_coordinates(sample[..., 0], motion.places(), order=order, mode="grid-constant")
    close = np.isclose(motion.move(sample, nearest)[..., 0], expected, atol=1e-3)
    inside = np.all([(place > 0) & (place < size - 1) for place, size in zip(motion.places(), extent, strict=True)], 0)
    assert close[inside].mean() > 0.999


def test_a_strength_that_could_fold_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigError, match=r"strength of at most 3.2, or a smoothness of at least 25"):
        random_elastic(strength=10.0, smoothness=8.0)


def test_the_log_shows_both():
    assert str(random_elastic(strength=3.5, smoothness=10.0)) == "strength: 3.5, smoothness: 10"
