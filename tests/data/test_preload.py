import numpy as np
import pytest

from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import in_memory
from rmldnn.data.transform import Part
from rmldnn.data.transforms.resize import resize

SMALL, LARGE = np.full((2, 2, 1), 7, np.uint8), np.full((3, 3, 1), 9, np.uint8)


class Negative:
    """Stands for a random transform."""

    name = "negative"
    random = True
    training_only = True

    def __call__(self, pixels, part, generator):
        return 255 - pixels


def test_equal_samples_become_one_array_of_integers(pictures):
    kept = in_memory(Pipeline(pictures(*[SMALL] * 40), Part("input"))).source.samples
    assert (kept.shape, kept.dtype) == ((40, 2, 2, 1), np.uint8)


def test_samples_keep_their_order(pictures):
    arrays = [np.full((2, 2, 1), value, np.uint8) for value in range(100)]
    kept = in_memory(Pipeline(pictures(*arrays), Part("input"))).source
    assert kept.take(np.array([99, 3]))[:, 0, 0, 0].tolist() == [99, 3]


@pytest.mark.parametrize("other", [LARGE, SMALL.astype(np.uint16)])
def test_samples_that_differ_are_kept_as_they_are(pictures, other):
    arrays = [SMALL, SMALL, other, SMALL]
    kept = in_memory(Pipeline(pictures(*arrays), Part("input"))).source.take(np.arange(4))
    assert [(sample.tolist(), sample.dtype) for sample in kept] == [(array.tolist(), array.dtype) for array in arrays]


def test_fixed_transforms_are_applied_once(pictures):
    pipeline = in_memory(Pipeline(pictures(SMALL, LARGE), Part("input"), [(0, resize(size=[4, 4]))]))
    assert (pipeline.source.samples.shape, pipeline.steps) == ((2, 4, 4, 1), [])


def test_random_transforms_and_what_follows_them_are_not(pictures):
    steps = [(0, resize(size=[4, 4])), (1, Negative()), (2, resize(size=[5, 5]))]
    assert in_memory(Pipeline(pictures(SMALL), Part("input"), steps)).steps == steps[1:]


def test_memory_is_not_changed_by_a_batch(pictures):
    kept = in_memory(Pipeline(pictures(SMALL, SMALL), Part("input"))).source
    kept.take(np.array([0]))[...] = 0
    assert kept.samples[0].tolist() == SMALL.tolist()
