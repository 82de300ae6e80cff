import pytest
import torch

from rmldnn.errors import NetworkError
from rmldnn.networks.compile import network


def test_embedding_looks_up_integers_that_came_as_numbers(build):
    net = build("Embedding", (3,), input_dim=7, output_dim=2)
    weight = net.get_submodule("layer").weight
    assert torch.equal(net(torch.tensor([[6.0, 0.0, 2.0]]))[0].T, weight[[6, 0, 2]])


def test_embedding_of_a_table_keeps_keras_order(build):
    net = build("Embedding", (3, 4), input_dim=20, output_dim=2)
    table = torch.arange(12).view(1, 3, 4)
    expected = net.get_submodule("layer").weight[table].movedim(-1, 1)
    assert torch.equal(net(table.movedim(-1, 1)), expected)


@pytest.mark.parametrize("between", [[], [{"class_name": "Dropout", "config": {"rate": 0.1}}]])
def test_refuses_a_layer_that_depends_on_the_mask(between):
    keys = {"input_dim": 7, "output_dim": 2, "mask_zero": True, "batch_input_shape": [None, 3]}
    layers = [{"class_name": "Embedding", "config": keys}, *between, {"class_name": "GRU", "config": {"units": 2}}]
    with pytest.raises(NetworkError, match="depends on the mask that `embedding` makes"):
        network(layers=layers)


def test_a_mask_that_nobody_heeds_is_no_problem(build):
    assert build("Embedding", (3,), input_dim=7, output_dim=2, mask_zero=True).output_shapes == [[None, 3, 2]]


def test_masked_places_become_zero(build):
    x = torch.tensor([[[1.0, 5.0, 1.0], [1.0, 1.0, 2.0]]])  # channels 2, time 3: only the first place is all 1
    module = build("Masking", (3, 2), mask_value=1.0)
    assert module(x).tolist() == [[[0.0, 5.0, 1.0], [0.0, 1.0, 2.0]]]
