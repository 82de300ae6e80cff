import numpy as np
import pytest

from rmldnn.data.diffusivity import diffusivity, modes, roots


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.2, 0.5, 0.7, 1.0, 30.0])
def test_roots_are_roots_and_none_is_left_out(eta):
    omega = roots(eta, 20)
    left = ((eta * omega) ** 2 - 1) * np.sin(omega)
    np.testing.assert_allclose(left, 2 * eta * omega * np.cos(omega), atol=1e-9 * (1 + (eta * omega[-1]) ** 2))
    fine = np.linspace(1e-6, omega[-1] + 1e-6, 400_001)
    values = ((eta * fine) ** 2 - 1) * np.sin(fine) - 2 * eta * fine * np.cos(fine)
    assert np.count_nonzero(np.diff(np.sign(values))) == 20


def test_roots_of_the_original_s_table():
    np.testing.assert_allclose(roots(0.5, 4), [1.720667178, 4.057515676, 6.851236919, 9.826360879], atol=5e-10)


@pytest.mark.parametrize("eta", [0.2, 1.0])
def test_modes_are_those_of_an_exponential_covariance(eta):
    """The sum over all modes is the covariance, but for a factor: it falls off over the length eta."""
    phi = modes(101, eta, 3000)
    norm = (phi**2).mean(1, keepdims=True)  # about that of the interval
    omega = roots(eta, 3000)[:, None]
    variance = 2 * eta / (1 + (eta * omega) ** 2)
    s = np.linspace(0, 1, 101)
    covariance = (phi / np.sqrt(norm) * np.sqrt(variance)).T @ (phi / np.sqrt(norm) * np.sqrt(variance))
    expected = np.exp(-np.abs(s[:, None] - s) / eta)
    assert np.abs(covariance - expected)[10:-10, 10:-10].max() < 0.05


@pytest.mark.parametrize("sizes", [(6, 5), (4, 6, 5)])
def test_a_map_is_its_formula(sizes):
    axes = [modes(n, 0.3 + 0.2 * number, 3) for number, n in enumerate(sizes)]
    found = diffusivity(axes, 5, 7)
    assert found.shape == (1, *sizes)
    assert found.dtype == np.float32
    weights = np.random.Generator(np.random.Philox(key=np.array([5, 7], np.uint64))).uniform(-3, 3, 3)
    for place in np.ndindex(sizes):
        modes_here = [axis[:, at] for axis, at in zip(axes, place, strict=True)]
        terms = weights * np.prod(modes_here, axis=0)
        assert found[(0, *place)] == pytest.approx(np.exp(sum(terms)), rel=1e-5)


def test_maps_differ_by_number_and_seed():
    axes = [modes(4, 0.5, 4)] * 2
    maps = [diffusivity(axes, *key).tobytes() for key in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert len(set(maps)) == 4
    assert diffusivity(axes, 1, 0).tobytes() == maps[2]
