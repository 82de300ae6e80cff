"""Samples of any extent, and a network that halves it."""

import pytest
import torch

from rmldnn.applications.fitting import require_passage
from rmldnn.config import catalog
from rmldnn.errors import NetworkError
from rmldnn.networks.compile import build


def unet(shape=(None, None, 1), depth=3):
    family = catalog.find("zoo", "unet2d").load()
    return build(family(num_classes=2, input_shape=list(shape), filters=2, depth=depth))


@pytest.mark.parametrize("extent", [(16, 24), (8, 8)])
def test_multiples_of_the_halvings_pass(extent):
    require_passage(unet(), torch.zeros(1, 1, *extent), "network")


def test_others_are_refused_with_extents_that_do():
    with pytest.raises(NetworkError) as caught:
        require_passage(unet(), torch.zeros(1, 1, 20, 30), "network")
    (problem,) = caught.value.problems
    assert problem.path == "network"
    assert "samples of 30 x 20 (width x height) do not pass" in problem.message
    assert "32 x 24 (width x height) pass" in problem.message


def test_so_are_those_of_which_nothing_is_left():
    with pytest.raises(NetworkError, match="nothing is left of them; 16 x 16"):
        require_passage(unet(depth=4), torch.zeros(1, 1, 8, 8), "network")


def test_nothing_is_asked_of_fixed_extents():
    require_passage(unet((20, 30, 1), depth=1), torch.zeros(1, 1, 21, 31), "network")


def test_the_network_stays_as_it_was():
    network = unet().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    require_passage(network, torch.zeros(1, 1, 8, 8), "network")
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
