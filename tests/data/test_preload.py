import time

import numpy as np
import pytest

from rmldnn.data import preload
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import in_memory, read_all
from rmldnn.data.transform import Part
from rmldnn.data.transforms.crop import center_crop
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


@pytest.mark.parametrize(("limit", "most"), [(8 * 1024, 9), (1, 2), (2**30, 1000)])
def test_what_waits_is_bounded_by_its_bytes(pictures, monkeypatch, limit, most):
    """Samples of 1 KiB each, of which few may have been read before those ahead of them were taken."""
    monkeypatch.setattr(preload, "_WAITING", limit)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    source = pictures(*[np.zeros((32, 32, 1), np.uint8)] * 200)
    read = []
    take = source.take
    source.take = lambda indices: read.extend(indices.tolist()) or take(indices)
    for taken, _ in enumerate(read_all(Pipeline(source, Part("input"))), start=1):
        time.sleep(0.0005)
        assert len(read) - taken <= most
    assert sorted(read) == list(range(200))


def test_windows_of_large_samples_are_kept_without_them(pictures):
    source = pictures(np.zeros((400, 400, 1), np.uint8), np.zeros((300, 300, 1), np.uint8))
    windows = read_all(Pipeline(source, Part("input"), [(0, center_crop(size=[4, 4]))]))
    assert [window.base for window in windows] == [None, None]
