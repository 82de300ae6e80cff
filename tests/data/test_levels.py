"""Batches in a coarser resolution."""

import pytest
import torch

from rmldnn.data.levels import coarse
from rmldnn.steps import Batch


def batch(inputs, targets=None):
    return Batch(["a"] * len(inputs), inputs, targets, 0, len(inputs))


def test_cells_are_averaged():
    inputs = torch.arange(32.0).view(1, 2, 4, 4)
    wanted = inputs.view(1, 2, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(coarse(batch(inputs), 2, nodes=False).inputs, wanted)


def test_nodes_keep_borders_and_linear_fields():
    line = torch.linspace(0, 1, 9, dtype=torch.float64)
    field = (line[:, None, None] + 2 * line[:, None] - line)[None, None]
    result = coarse(batch(field), 5, nodes=True).inputs[0, 0]
    torch.testing.assert_close(result, field[0, 0, ::2, ::2, ::2])


def test_other_axes_follow_in_proportion():
    assert coarse(batch(torch.zeros(1, 1, 8, 32)), 16, nodes=False).inputs.shape == (1, 1, 4, 16)


@pytest.mark.parametrize(("nodes", "wanted"), [(False, [1, 3, 5]), (True, [0, 2, 5])])
def test_classes_are_those_of_the_nearest_place(nodes, wanted):
    targets = torch.arange(6)[None]
    result = coarse(batch(torch.zeros(1, 1, 6), targets), 3, nodes=nodes).targets
    assert result.dtype == torch.int64
    assert result.tolist() == [wanted]


@pytest.mark.parametrize("targets", [torch.tensor([3]), torch.rand(1, 7)], ids=["class", "numbers"])
def test_what_belongs_to_a_whole_sample_stays(targets):
    assert coarse(batch(torch.zeros(1, 1, 6, 6), targets), 3, nodes=False).targets is targets


def test_dense_targets_go_with_inputs():
    inputs = torch.rand(2, 1, 8)
    result = coarse(batch(inputs, inputs * 2), 4, nodes=False)
    torch.testing.assert_close(result.targets, result.inputs * 2)


def test_the_finest_level_is_the_batch_itself():
    whole = batch(torch.zeros(1, 1, 8, 8))
    assert coarse(whole, 8, nodes=True) is whole


def test_nothing_is_made_finer():
    with pytest.raises(ValueError, match="an extent of 8, fewer than 16"):
        coarse(batch(torch.zeros(1, 1, 8, 8)), 16, nodes=False)
