import os

import numpy as np
import pytest
import torch

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.transforms.resize import resize
from rmldnn.errors import RmldnnError


@pytest.fixture
def opened(digits, monkeypatch):
    monkeypatch.chdir(digits)

    def opened(*transforms, **keys):
        loader = data(images, labels, transforms, input_path="training", batch_size=4, **keys).loader("train", seed=1)
        return torch.cat([batch.inputs for batch in loader.epoch(1)])

    return opened


def test_samples_are_those_of_the_files(opened):
    assert torch.equal(opened(cache=True), opened())


def test_the_file_is_used_again(opened, digits):
    opened(cache=True)
    (path,) = (digits / ".rmldnn_cache").glob("*.data")
    before = path.stat().st_mtime_ns
    opened(cache=True)
    assert [item.stat().st_mtime_ns for item in (digits / ".rmldnn_cache").glob("*.data")] == [before]


def test_other_transforms_need_another_file(opened, digits):
    opened(cache=True)
    assert torch.equal(opened(resize(size=[3, 3]), cache=True), opened(resize(size=[3, 3])))
    assert len(list((digits / ".rmldnn_cache").glob("*.data"))) == 2


def test_what_other_transforms_left_is_told(opened, digits, said):
    opened(cache=True)
    assert not [line for line in said() if "also holds" in line]
    opened(resize(size=[3, 3]), cache=True)
    (line,) = [line for line in said() if "also holds" in line]
    (newest,) = [
        path.stem for path in (digits / ".rmldnn_cache").glob("training-input-*.data") if path.stat().st_size < 10 * 72
    ]
    assert line.startswith("`.rmldnn_cache` also holds 0 MiB of other data or transforms in files `training-input-*`")
    assert line.endswith(f"remove all but `{newest}`")


def test_a_file_that_changed_is_read_again(opened, digits, write):
    opened(cache=True)
    write(digits / "training/0/0.png", 200)
    os.utime(digits / "training/0/0.png", ns=(1, 1))
    assert opened(cache=True).max() > 0.7


def test_samples_of_several_shapes_are_kept(digits, monkeypatch, write):
    monkeypatch.chdir(digits)
    write(digits / "training/0/0.png", 9, width=3, height=2)
    opened = data(images, labels, input_path="training", cache=True)
    taken = opened.train.inputs.source.take(np.array([0, 1]))
    assert [sample.shape for sample in taken] == [(2, 3, 3), (4, 6, 3)]


def test_a_place_that_cannot_be_written_is_named(digits, monkeypatch):
    monkeypatch.chdir(digits)
    (digits / ".rmldnn_cache").write_text("in the way")
    with pytest.raises(RmldnnError, match=r"`\.rmldnn_cache` \(`data\.cache`\)"):
        data(images, labels, input_path="training", cache=True)
