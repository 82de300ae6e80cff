"""Every sample once in an epoch, whatever the groups, blocks, processes, workers and batch sizes."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data.loader import Loader
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.data.transform import Part


class Runs(Source):
    """A source whose sample `i` is the number `i`, in groups or blocks."""

    kind = "numbers"
    noun = "numbers"
    meaning = "classes"

    def __init__(self, count, groups=(), blocks=()):
        self.names = [str(index) for index in range(count)]
        self.groups = groups
        self.blocks = blocks

    def take(self, indices):
        return indices.copy()

    def locate(self, index):
        return self.names[index]

    def encoded_bytes(self, limit):
        return 0


def dataset(sizes, kind):
    source = Runs(sum(sizes), **({kind: sizes} if kind else {}))
    return Dataset(Pipeline(source, Part("input")))


def seen_by_all(data, batch_size, world, seen=0, epoch=3, **keys):
    """The samples of an epoch, batch by batch, as all processes together see them."""
    loaders = [Loader(data, batch_size, shuffle="epoch", rank=rank, world=world, **keys) for rank in range(world)]
    return [
        [number for batch in batches for number in batch.inputs.tolist()]
        for batches in zip(*(loader.epoch(epoch, seen) for loader in loaders), strict=True)
    ]


def flat(batches):
    return list(chain.from_iterable(batches))


sizes = st.lists(st.integers(1, 30), min_size=1, max_size=6)


@given(sizes, st.sampled_from(["groups", "blocks", None]), st.integers(1, 9), st.integers(1, 5), st.data())
@settings(max_examples=80, deadline=None)
def test_each_sample_is_seen_exactly_once_and_after_a_resume_too(sizes, kind, batch_size, world, data):
    numbers = dataset(sizes, kind)
    whole = seen_by_all(numbers, batch_size, world)
    assert Counter(flat(whole)) == Counter(range(sum(sizes)))
    seen = data.draw(st.integers(0, sum(sizes)))
    other_world = data.draw(st.integers(1, 4))
    rest = flat(seen_by_all(numbers, batch_size, other_world, seen))
    assert flat(whole)[seen:] == rest


@given(sizes, st.integers(1, 9), st.integers(1, 9), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_a_resume_may_change_the_batch_size(sizes, first, second, seen):
    numbers = dataset(sizes, "blocks")
    whole = flat(seen_by_all(numbers, first, 1))
    assert flat(seen_by_all(numbers, second, 2, seen)) == whole[seen:]


@given(sizes, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_no_batch_mixes_groups(sizes, batch_size):
    ends = np.cumsum(sizes)
    for batch in seen_by_all(dataset(sizes, "groups"), batch_size, 2):
        assert len(set(np.searchsorted(ends, batch, side="right").tolist())) == 1


@pytest.mark.parametrize(("shards", "world", "workers"), [(5, 2, 0), (5, 2, 2), (1, 1, 8)])
def test_shards_need_not_be_as_many_as_processes_or_workers(shards, world, workers):
    found = seen_by_all(dataset([7] * shards, "blocks"), 4, world, num_workers=workers)
    assert sorted(flat(found)) == list(range(7 * shards))
