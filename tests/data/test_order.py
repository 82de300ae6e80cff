import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data import order
from rmldnn.data.order import BLOCK, merged, sample_generator, share, shuffled

seeds = st.integers(0, 2**64 - 1)


@given(st.integers(0, 300), seeds, st.integers(0, 10**6))
def test_a_shuffled_order_is_a_permutation(count, seed, epoch):
    assert sorted(shuffled(count, seed, epoch)) == list(range(count))


@given(st.integers(0, 300), seeds, st.integers(0, 10**6))
def test_a_shuffled_order_is_a_function_of_seed_and_epoch(count, seed, epoch):
    assert np.array_equal(shuffled(count, seed, epoch), shuffled(count, seed, epoch))


def test_the_order_of_a_seed_is_the_same_in_every_version():
    assert shuffled(10, seed=7, epoch=1).tolist() == [3, 9, 1, 6, 2, 5, 4, 8, 0, 7]


@pytest.mark.parametrize("other", [{"seed": 8, "epoch": 1}, {"seed": 7, "epoch": 2}])
def test_another_seed_or_epoch_gives_another_order(other):
    assert not np.array_equal(shuffled(100, 7, 1), shuffled(100, **other))


@given(st.integers(0, 1000), st.integers(1, 20))
def test_shares_join_without_gap_or_overlap(size, world):
    shares = [share(size, rank, world) for rank in range(world)]
    assert [index for part in shares for index in range(part.start, part.stop)] == list(range(size))


@given(st.integers(0, 1000), st.integers(1, 20))
def test_shares_are_equal_up_to_one(size, world):
    sizes = [part.stop - part.start for part in (share(size, rank, world) for rank in range(world))]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("other", [(2, 1, 0, 0), (1, 2, 0, 0), (1, 1, 1, 0), (1, 1, 0, 1)])
def test_every_seed_epoch_sample_and_transform_has_numbers_of_its_own(other):
    assert sample_generator(1, 1, 0, 0).random() != sample_generator(*other).random()


@pytest.fixture
def small(monkeypatch):
    """Windows of 1000 samples, so that small sets have several."""
    monkeypatch.setattr(order, "WINDOW", 1000)


BLOCKS = [[200], [100, 3, 300, 50], [1000], [1001], [2500, 1, 7, 999], [1] * 3000, [5000, 0, 2]]


@pytest.mark.parametrize("blocks", BLOCKS)
def test_a_merged_order_is_a_permutation_another_in_every_epoch_and_the_same_whenever_it_is_drawn(small, blocks):
    one, other = merged(blocks, 1, 1), merged(blocks, 1, 2)
    assert sorted(one) == sorted(other) == list(range(sum(blocks)))
    assert np.array_equal(one, merged(blocks, 1, 1))
    assert (one == other).mean() < 0.05
    assert (one == merged(blocks, 2, 1)).mean() < 0.05


@pytest.mark.parametrize("blocks", BLOCKS)
def test_no_samples_follow_each_other_as_they_lie(small, blocks):
    assert (np.diff(merged(blocks, 1, 1)) == 1).mean() < 0.05


@pytest.mark.parametrize("blocks", [[2**18], [2**17 + 5, 2**17 - 5], [200]])
def test_sets_of_one_window_are_shuffled_as_a_whole(blocks):
    assert np.array_equal(merged(blocks, 3, 4), shuffled(sum(blocks), 3, 4))


def test_a_block_is_read_within_a_window(small):
    blocks = [300, 20, 64, 5000, 1, 2615]
    places = np.argsort(merged(blocks, seed=1, epoch=1))
    windows = places * 8 // 8000
    starts = [at for end, size in zip(np.cumsum(blocks), blocks, strict=True) for at in range(end - size, end, BLOCK)]
    spans = [np.ptp(windows[low:high]) for low, high in pairwise([*starts, 8000])]
    assert max(spans) <= 1  # one at the rim of a window lies in the next one as well
    assert np.mean(spans) < 0.1


def test_windows_are_of_equal_size(small):
    seen = merged([1001], seed=1, epoch=1)
    blocks = [set((part // BLOCK).tolist()) for part in (seen[:500], seen[501:])]
    assert min(map(len, blocks)) >= 7


def test_a_set_that_is_sorted_by_class_is_as_mixed_as_a_uniform_permutation_makes_it():
    """The sizes of ImageNet: 1000 classes of 1281 samples in shards of 9000, a batch of 256."""
    count = 1_281_000
    classes = np.arange(count) // 1281

    def mixed(order):
        batches = classes[order[: count // 256 * 256]].reshape(-1, 256)
        batches.sort(axis=1)
        return 1 + (np.diff(batches, axis=1) > 0).sum(axis=1)

    found = mixed(merged([9000] * 142 + [3000], seed=1, epoch=1))
    uniform = mixed(shuffled(count, seed=1, epoch=1))
    assert found.mean() > 0.95 * uniform.mean()
    assert np.quantile(found, 0.001) > 0.9 * np.quantile(uniform, 0.001)


@pytest.mark.parametrize("block", [1, 1000, 10**6])
def test_blocks_cost_no_more_than_a_few_times_what_a_plain_order_costs(block):
    began = time.process_time()
    shuffled(10**6, 1, 1)
    plain = time.process_time()
    assert len(merged([block] * (10**6 // block), 1, 1)) == 10**6
    assert time.process_time() - plain < 20 * (plain - began)
