"""Samples blended with one another: the same on any number of processes."""

import pytest
import torch

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.transforms.mix import cutmix, mixup
from rmldnn.errors import ConfigError


def batches(digits, world, *mixes, **keys):
    opened = data(images, labels, mixes, input_path=str(digits / "training"), batch_size=4, shuffle="once", **keys)
    loaders = [opened.loader("train", rank=rank, world=world, seed=1) for rank in range(world)]
    for parts in zip(*(loader.epoch(1) for loader in loaders), strict=True):
        yield torch.cat([part.inputs for part in parts]), torch.cat([part.targets for part in parts])


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("mixes", [(mixup(alpha=1.0),), (cutmix(alpha=1.0),), (mixup(alpha=1.0), cutmix(alpha=1.0))])
def test_any_number_of_processes_sees_the_same(digits, world, mixes):
    for (inputs, targets), (others, their_targets) in zip(
        batches(digits, 1, *mixes), batches(digits, world, *mixes), strict=True
    ):
        assert torch.equal(inputs, others)
        assert torch.equal(targets, their_targets)


def mixed(digits, mix, batch_size, seen=0):
    """Mixed inputs of the first epoch by the place of the sample."""
    opened = data(images, labels, [mix], input_path=str(digits / "training"), batch_size=batch_size)
    return torch.cat([batch.inputs for batch in opened.loader("train", seed=1).epoch(1, seen)])


@pytest.mark.parametrize("mix", [mixup(alpha=1.0), cutmix(alpha=1.0)])
@pytest.mark.parametrize(("batch_size", "seen"), [(1, 0), (3, 0), (10, 0), (4, 6), (4, 9), (3, 1)])
def test_partners_depend_neither_on_the_batch_size_nor_on_where_a_run_goes_on(digits, mix, batch_size, seen):
    assert torch.equal(mixed(digits, mix, batch_size, seen), mixed(digits, mix, 4)[seen:])


def test_classes_become_weights_in_the_proportion_of_the_pictures(digits):
    before, classes = (torch.cat(parts) for parts in zip(*batches(digits, 1), strict=True))
    inputs, targets = (torch.cat(parts) for parts in zip(*batches(digits, 1, mixup(alpha=1.0)), strict=True))
    assert targets.shape == (10, 2)
    assert torch.allclose(targets.sum(1), torch.ones(10))
    for place in range(10):
        other = (place + 1) % 10
        own, partner = before[place, 0, 0, 0], before[other, 0, 0, 0]
        if classes[place] != classes[other]:
            share = targets[place, classes[place]]
            assert torch.isclose(inputs[place, 0, 0, 0], share * own + (1 - share) * partner, atol=1e-6)


def test_mixing_one_side_only_is_refused(digits):
    with pytest.raises(ConfigError, match="mixes inputs and targets alike; put it into `transforms`"):
        data(images, labels, (), [mixup(alpha=1.0)], input_path=str(digits / "training"))
