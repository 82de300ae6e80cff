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


def test_classes_become_weights_in_the_proportion_of_the_pictures(digits):
    plain = [inputs for inputs, _ in batches(digits, 1)]
    labels_ = [targets for _, targets in batches(digits, 1)]
    for (inputs, targets), before, classes in zip(batches(digits, 1, mixup(alpha=1.0)), plain, labels_, strict=True):
        assert targets.shape == (len(inputs), 2)
        assert torch.allclose(targets.sum(1), torch.ones(len(inputs)))
        for place in range(len(inputs)):
            other = (place + 1) % len(inputs)
            own, partner = before[place, 0, 0, 0], before[other, 0, 0, 0]
            if classes[place] != classes[other]:
                share = targets[place, classes[place]]
                assert torch.isclose(inputs[place, 0, 0, 0], share * own + (1 - share) * partner, atol=1e-6)


def test_mixing_one_side_only_is_refused(digits):
    with pytest.raises(ConfigError, match="mixes inputs and targets alike; put it into `transforms`"):
        data(images, labels, (), [mixup(alpha=1.0)], input_path=str(digits / "training"))
