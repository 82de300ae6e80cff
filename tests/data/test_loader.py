import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data.loader import SMALL_BYTES, Loader, automatic_workers
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.preload import in_memory
from rmldnn.data.sets import Dataset
from rmldnn.data.transform import Part
from rmldnn.errors import DataError

counts = st.integers(1, 60)
batch_sizes = st.integers(1, 25)
worlds = st.integers(1, 9)
orders = st.sampled_from(["epoch", "once", "never"])


def on_all_ranks(dataset, batch_size, world, shuffle, epoch=1):
    """Batches by number and rank."""
    loaders = [Loader(dataset, batch_size, shuffle=shuffle, seed=5, rank=rank, world=world) for rank in range(world)]
    return list(zip(*(loader.epoch(epoch) for loader in loaders), strict=True))


def samples(batches):
    return [number for batch in batches for number in batch.inputs.tolist()]


@given(counts, batch_sizes, worlds, orders)
def test_all_ranks_together_see_each_sample_exactly_once(numbers, count, batch_size, world, shuffle):
    ranks = on_all_ranks(numbers(count), batch_size, world, shuffle)
    assert sorted(samples(itertools.chain.from_iterable(ranks))) == list(range(count))


@given(counts, batch_sizes, worlds, orders)
def test_global_batches_do_not_depend_on_the_number_of_ranks(numbers, count, batch_size, world, shuffle):
    alone = on_all_ranks(numbers(count), batch_size, 1, shuffle)
    together = on_all_ranks(numbers(count), batch_size, world, shuffle)
    assert [samples(batch) for batch in together] == [samples(batch) for batch in alone]


@given(counts, batch_sizes, worlds)
def test_the_length_is_the_number_of_batches_on_every_rank(numbers, count, batch_size, world):
    dataset = numbers(count)
    ranks = on_all_ranks(dataset, batch_size, world, "epoch")
    assert len(ranks) == len(Loader(dataset, batch_size)) == -(-count // batch_size)


@given(counts, batch_sizes, worlds)
def test_positions_and_sizes_say_where_a_part_lies_in_the_epoch(numbers, count, batch_size, world):
    ranks = on_all_ranks(numbers(count), batch_size, world, "never")
    positions = [batch.first + place for batches in ranks for batch in batches for place in range(len(batch.names))]
    sizes = [{batch.size for batch in batches} for batches in ranks]
    assert positions == list(range(count))
    assert sizes == [{sum(len(batch.names) for batch in batches)} for batches in ranks]


@given(counts, batch_sizes, worlds, orders)
def test_names_and_targets_belong_to_the_inputs(numbers, count, batch_size, world, shuffle):
    for batch in itertools.chain.from_iterable(on_all_ranks(numbers(count), batch_size, world, shuffle)):
        assert batch.targets.tolist() == batch.inputs.tolist() == [int(name) for name in batch.names]


def test_a_rank_without_samples_has_tensors_of_the_same_shape_and_type(pictures):
    source = pictures(*[np.full((4, 6, 3), value, np.uint8) for value in range(2)])
    (batch,) = Loader(Dataset(Pipeline(source, Part("input"))), 2, rank=0, world=3).epoch(1)
    assert (batch.inputs.shape, batch.inputs.dtype, batch.names) == ((0, 3, 4, 6), torch.float32, [])


def test_training_samples_are_shuffled_anew_in_every_epoch(numbers):
    loader = Loader(numbers(50), 50, shuffle="epoch")
    assert samples(loader.epoch(1)) != samples(loader.epoch(2))


def test_samples_can_be_shuffled_once(numbers):
    loader = Loader(numbers(50), 50, shuffle="once")
    assert samples(loader.epoch(1)) == samples(loader.epoch(2)) != list(range(50))


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (2, [0, 1]), (9, [0, 4, 8])])
def test_some_samples_are_from_the_first_to_the_last(numbers, count, expected):
    assert samples(Loader(numbers(count), 4).some(3)) == expected


def test_an_epoch_can_be_repeated(numbers):
    loader = Loader(numbers(50), 50, shuffle="epoch")
    assert samples(loader.epoch(3)) == samples(loader.epoch(3))


class Encoded:
    """A set of a given number of encoded bytes."""

    def __init__(self, size):
        self.inputs, self.targets, self.source, self.size = self, None, self, size

    def work(self, limit):
        return self.size


def test_small_sets_are_read_without_workers():
    assert automatic_workers(Encoded(SMALL_BYTES), 8) == 0


@pytest.mark.parametrize(("share", "workers"), [(None, 5), (2, 2), (64, 8)])
def test_there_are_as_many_workers_as_cores_for_this_process(monkeypatch, share, workers):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(5)))
    assert automatic_workers(Encoded(SMALL_BYTES + 1), share) == workers


class Jitter:
    """Stands for a random transform."""

    name = "jitter"
    random = True
    training_only = True

    def __call__(self, sample, part, generator):
        return sample


@pytest.mark.parametrize(("steps", "workers"), [([], 0), ([(0, Jitter())], 3)])
def test_samples_in_memory_need_workers_where_transforms_act_on_them(pictures, steps, workers):
    source = pictures(*[np.zeros((512, 512, 3), np.uint8)] * 24)  # 18 MiB
    pipeline = in_memory(Pipeline(source, Part("input"), steps))
    assert automatic_workers(Dataset(pipeline), 3) == workers


def test_sizes_are_compared_with_that_of_the_first_sample_of_the_set(pictures):
    sizes = [(4, 6, 3), (5, 7, 3), (5, 7, 3)]
    source = pictures(*[np.zeros(size, np.uint8) for size in sizes])
    loader = Loader(Dataset(Pipeline(source, Part("input"))), 3, rank=1, world=2)
    loader.sample()
    with pytest.raises(DataError, match=r"0 is 6 x 4, 1 is 7 x 5"):
        list(loader.epoch(1))


def test_targets_that_losses_look_at_stay_where_they_were_read(pictures):
    masks, photos = (pictures(*[np.full((4, 6, count), 1, np.uint8)] * 2) for count in (1, 3))
    device = torch.device("meta")

    def places(inputs, targets):
        (batch,) = Loader(Dataset(Pipeline(inputs, Part("input")), targets), 2, device=device).epoch(1)
        return batch.inputs.device.type, batch.targets.device.type

    assert places(photos, Pipeline(masks, Part("target"))) == ("meta", "cpu")
    assert places(photos, Pipeline(photos, Part("target"))) == ("meta", "meta")
