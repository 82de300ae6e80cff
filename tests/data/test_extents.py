"""Inputs and targets of different extent, which a transform of both could move apart."""

import numpy as np
import pytest
import torch

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.sources.masks import masks
from rmldnn.data.transforms.crop import center_crop, jitter_crop, random_crop
from rmldnn.data.transforms.elastic import random_elastic
from rmldnn.data.transforms.flip import random_horizontal_flip
from rmldnn.data.transforms.pad import pad_to
from rmldnn.data.transforms.patches import random_patches
from rmldnn.data.transforms.resize import resize
from rmldnn.data.transforms.zoom import random_scale, random_zoom
from rmldnn.errors import DataError

CROP = random_crop(size=[8, 8])


@pytest.fixture
def opened(tmp_path, monkeypatch, write):
    """Opens pictures of 16 x 16 with masks, of which one is 20 x 20 or has another size."""
    monkeypatch.chdir(tmp_path)

    def opened(transforms, *own, width=20, height=20, targets=masks, **keys):
        for index in range(4):
            place = np.arange(256, dtype=np.uint8).reshape(16, 16)
            write(tmp_path / "in" / f"{index}.png", place)
            odd = np.zeros((height, width), np.uint8)
            write(tmp_path / "out" / f"{index}.png", odd if index == 2 else place)
        keys = {"grayscale": True, "num_workers": 0, "batch_size": 4, **keys}
        grayscale = keys.pop("grayscale")
        return data(
            lambda side: images(side, grayscale=grayscale),
            targets,
            transforms,
            *own,
            input_path="in",
            target_path="out",
            **keys,
        ).loader("train", seed=1)

    return opened


@pytest.mark.parametrize("keep", [{}, {"preload": True}, {"cache": True}, {"num_workers": 1}])
@pytest.mark.parametrize(
    "transforms",
    [
        [CROP],
        [center_crop(size=[8, 8]), CROP],
        [random_horizontal_flip(probability=0.5), CROP],
        [jitter_crop(amount=0.5), resize(size=[8, 8])],
        [pad_to(size=[40, 40])],
        [random_zoom(amount=0.5), resize(size=[8, 8])],
        [random_elastic(strength=2.0, smoothness=8.0), resize(size=[8, 8])],
        [random_patches(number=2, size=4), resize(size=[8, 8])],
    ],
    ids=str,
)
def test_what_counts_in_pixels_refuses_an_input_and_a_target_of_different_extent(opened, transforms, keep):
    name = next(item.name for item in transforms if item.name != "random_horizontal_flip")
    message = (
        r"^in/2\.png is 16 x 16 \(width x height\), but its target out/2\.png is 20 x 20 \(width x height\), where "
        rf"`{name}` acts on both"
    )
    with pytest.raises(DataError, match=message):
        list(opened(transforms, **keep).epoch(1))


@pytest.mark.parametrize("keep", [{}, {"preload": True}, {"cache": True}])
def test_a_cache_is_made_once_and_tells_each_time(opened, keep):
    for _ in range(2):
        with pytest.raises(DataError, match=r"in/2\.png is 16 x 16"):
            list(opened([center_crop(size=[8, 8])], **keep).epoch(1))


@pytest.mark.parametrize(
    "transforms",
    [[resize(size=[12, 12]), CROP], [resize(size=[12, 12]), random_zoom(amount=0.5)], [random_scale(amount=0.5)]],
    ids=str,
)
def test_what_is_of_one_extent_by_then_is_cropped_alike(opened, transforms):
    loader = opened(transforms, width=16, height=16)
    assert [batch.inputs.shape[2:] == batch.targets.shape[1:] for batch in loader.epoch(1)] == [True]
    (batch,) = opened([resize(size=[12, 12]), CROP]).epoch(1)
    assert batch.targets.shape == (4, 8, 8)


def test_pixels_lie_on_their_classes(opened):
    (batch,) = opened([CROP], width=16, height=16).epoch(1)
    others = [place for place, name in enumerate(batch.names) if name != "2.png"]
    assert torch.equal((batch.inputs[others, 0] * 255).round().long(), batch.targets[others])


def test_each_side_may_have_crops_of_its_own(opened):
    (batch,) = opened([], [center_crop(size=[8, 8])], [center_crop(size=[16, 16])]).epoch(1)
    assert (batch.inputs.shape[2:], batch.targets.shape[1:]) == ((8, 8), (16, 16))


def test_classes_have_no_extent(digits):
    loader = data(images, labels, [random_crop(size=[2, 2])], input_path=str(digits / "training")).loader("train")
    assert len(list(loader.epoch(1))) == 1
