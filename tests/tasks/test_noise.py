"""Random numbers by place: the same on any number of processes, and normal."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.tasks.noise import normal, uniform


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_shares_are_pieces_of_the_whole(first, one, other, shape):
    whole = normal(shape, first, one + other, 7, 1, "generator")
    shares = [normal(shape, first, one, 7, 1, "generator"), normal(shape, first + one, other, 7, 1, "generator")]
    assert torch.equal(torch.cat(shares), whole)


def test_numbers_are_normal():
    numbers = normal([25], 0, 4000, 0).double()
    assert abs(float(numbers.mean())) < 0.02
    assert abs(float(numbers.var()) - 1) < 0.02
    assert abs(float((numbers**4).mean()) - 3) < 0.15
    correlation = np.corrcoef(numbers.T.numpy()) - np.eye(25)
    assert np.abs(correlation).max() < 0.08


def test_other_keys_give_other_numbers():
    assert not torch.equal(normal([4], 0, 2, 1, 2, "critic"), normal([4], 0, 2, 1, 2, "generator"))


def test_uniform_numbers_are_shared_alike():
    whole = uniform(5, 100, 1)
    assert torch.equal(torch.cat([uniform(5, 40, 1), uniform(45, 60, 1)]), whole)
    assert 0 <= whole.min() < 0.1 < 0.9 < whole.max() < 1


def test_a_share_of_no_sample_has_no_numbers():
    assert normal([3, 2], 9, 0, 1).shape == (0, 3, 2)
