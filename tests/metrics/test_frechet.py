"""The Frechet distance against SciPy's root of a matrix, and where it is known."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from rmldnn.metrics.frechet import frechet, moments


def reference(one, other):
    """As the authors of FID write it."""
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.real(sqrtm(c1 @ c2))
    return ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root)


def features(count, width, seed, shift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, width)) @ random.normal(size=(width, width)) + shift


@pytest.mark.parametrize("width", [2, 7, 30])
def test_distance_is_that_of_scipy(width):
    one, other = features(200, width, 1), features(150, width, 2, shift=0.7)
    distance = frechet(*(moments(torch.from_numpy(each)) for each in (one, other)))
    assert float(distance) == pytest.approx(reference(one, other), rel=1e-8)


def test_a_set_has_no_distance_to_itself_even_with_few_samples():
    one = moments(torch.from_numpy(features(10, 20, 1)))  # of a covariance without inverse
    assert abs(float(frechet(one, one))) < 1e-6


def test_moments_of_parts_add_up():
    one, other = (torch.from_numpy(features(50, 4, seed)) for seed in (1, 2))
    parts = moments(one[:13]) + moments(one[13:]) + moments(one[:0])
    assert float(frechet(parts, moments(other))) == pytest.approx(
        float(frechet(moments(one), moments(other))), rel=1e-10
    )


def test_too_few_samples_have_no_distance():
    one = moments(torch.ones(1, 3))
    assert frechet(one, one).isnan()
