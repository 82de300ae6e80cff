import numpy as np
import pytest

from rmldnn.data.order import sample_generator
from rmldnn.data.transform import Part

PARTS = {"input": Part("input"), "target": Part("target"), "mask": Part("target", mask=True)}


@pytest.fixture(scope="session")
def apply():
    """Applies a transform of samples to one, as training does."""

    def apply(transform, sample, part="input", *, index=0):
        if transform.random:
            return transform(sample, PARTS[part], sample_generator(1, 1, index, 0))
        return transform(sample, PARTS[part])

    return apply


@pytest.fixture(scope="session")
def numbers_of():
    """Makes an array of random numbers of any type."""

    def numbers_of(shape, kind="uint8", seed=0):
        generator = np.random.default_rng(seed)
        if kind == "bool":
            return generator.random(shape) < 0.5
        if np.dtype(kind).kind == "f":
            return generator.normal(size=shape).astype(kind)
        limits = np.iinfo(kind)
        return generator.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)

    return numbers_of
