import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.data.order import sample_generator, share, shuffled

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
