"""Ways from one sample to another."""

import pytest
import torch

from rmldnn.applications.sheets import between


def test_ways_go_around_a_circle():
    way = between(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]]), 3)
    torch.testing.assert_close(way, torch.tensor([[2.0, 0.0], [2**0.5, 2**0.5], [0.0, 2.0]]))


@pytest.mark.parametrize("end", [[-2.0], [3.0], [1.0]])
def test_one_random_number_goes_straight(end):
    way = between(torch.tensor([[1.0]]), torch.tensor([end]), 5)
    torch.testing.assert_close(way[:, 0], torch.linspace(1, end[0], 5))


def test_opposite_numbers_go_straight():
    start = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(1))
    way = between(start, -2 * start, 3)
    torch.testing.assert_close(way.reshape(4, 3, 2, 3)[:, 1], -0.5 * start)
