"""What recipes and tests compare solutions with: two programs written apart give the same."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from rmldnn.data.diffusivity import diffusivity, modes
from tests.losses.fem import poisson
from tests.losses.test_burgers import cole_hopf, wave

RECIPES = Path(__file__).parent.parent.parent / "recipes/pde"


def solver(recipe):
    spec = importlib.util.spec_from_file_location(recipe, RECIPES / recipe / "compare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.solve


@pytest.mark.parametrize(("recipe", "extent"), [("poisson2d", (9, 7)), ("poisson3d", (5, 6, 4))])
def test_finite_elements(recipe, extent):
    nu = diffusivity([modes(n, 0.5, 4) for n in extent], 0, 1)[0].astype(np.float64)
    np.testing.assert_allclose(solver(recipe)(nu), poisson(nu)[0], atol=1e-12)


def test_finite_elements_know_a_solution():
    """Of layers: the current through them is the same everywhere."""
    nu = np.array([1.0, 1.0, 4.0, 4.0])[:, None].repeat(3, 1)
    drops = 1 / np.array([1, 2.5, 4])
    np.testing.assert_allclose(poisson(nu)[0][:, 1], 1 - np.concatenate([[0], np.cumsum(drops)]) / drops.sum())


def test_cole_and_hopf():
    places = np.linspace(0, 1, 65)
    found = solver("burgers")(wave(places), 0.05, 0.4, 5)
    np.testing.assert_allclose(found[1:], cole_hopf(wave, 0.05, 0.1 * np.arange(1, 5), places), atol=1e-5)
    assert math.isclose(found[0].max(), 1)
