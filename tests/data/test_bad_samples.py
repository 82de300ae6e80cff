"""Samples that cannot be read: an error, or left out and told."""

import numpy as np
import pytest
import torch

from rmldnn.data.dataset import data
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.sources.numpy import numpy
from rmldnn.errors import DataError

WORKERS = pytest.mark.parametrize("num_workers", [0, 2])
KEPT = pytest.mark.parametrize("kept", [{}, {"preload": True}, {"cache": True}])


@pytest.fixture
def damaged(digits, monkeypatch):
    """Ten pictures, of which two are cut short."""
    monkeypatch.chdir(digits)
    for name in ("0/4.png", "1/7.png"):
        path = digits / "training" / name
        path.write_bytes(path.read_bytes()[:40])
    return str(digits / "training")


def batches(path, **keys):
    loader = data(images, labels, input_path=path, batch_size=4, shuffle="once", **keys).loader("train", seed=1)
    return loader, list(loader.epoch(1))


@WORKERS
@KEPT
def test_the_first_one_is_an_error(damaged, num_workers, kept):
    with pytest.raises(DataError, match=r"training/./.\.png: cannot read this image"):
        batches(damaged, num_workers=num_workers, **kept)


@WORKERS
@KEPT
def test_they_are_left_out_and_told(damaged, num_workers, kept):
    loader, found = batches(damaged, num_workers=num_workers, on_bad_sample="skip", **kept)
    names = [name for batch in found for name in batch.names]
    assert sorted(names) == sorted(f"{index % 2}/{index}.png" for index in range(10) if index not in (4, 7))
    assert sorted(loader.skipped) == ["0/4.png", "1/7.png"]
    assert "cut short" in loader.skipped["0/4.png"].cause or "cannot read" in loader.skipped["0/4.png"].cause


def test_what_is_left_are_the_same_samples(damaged):
    _, found = batches(damaged, on_bad_sample="skip")
    for batch in found:
        for name, picture, label in zip(batch.names, batch.inputs, batch.targets, strict=True):
            index = int(name[2:-4])
            assert torch.allclose(picture, torch.tensor(10 * index / 255))
            assert label == index % 2


def test_a_batch_of_nothing_else_is_empty_but_has_a_shape(damaged):
    opened = data(images, labels, input_path=damaged, batch_size=1, shuffle="once", on_bad_sample="skip")
    shapes = {tuple(batch.inputs.shape) for batch in opened.loader("train").epoch(1)}
    assert shapes == {(1, 3, 4, 6), (0, 3, 4, 6)}


@KEPT
@pytest.mark.parametrize(("count", "words"), [(1, "the only sample cannot be"), (3, "none of the 3 samples can be")])
def test_a_set_of_nothing_else_is_an_error(tmp_path, monkeypatch, count, words, kept):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    for index in range(count):
        (tmp_path / "a" / f"{index}.png").write_bytes(b"")
    opened = data(images, labels, input_path=str(tmp_path), on_bad_sample="skip", **kept)
    for read in (lambda loader: loader.sample(), lambda loader: list(loader.epoch(1))):
        with pytest.raises(DataError, match=rf"{words} read, so none is left; .*0\.png: .*the file is empty") as caught:
            read(opened.loader("train"))
        assert '"on_bad_sample": "skip"' not in str(caught.value)


@WORKERS
def test_values_that_are_no_numbers_are_named(tmp_path, num_workers):
    for index in range(3):
        array = np.ones((1, 4, 4), np.float32)
        array[0, 0, :2] = np.nan if index == 1 else 1
        np.save(tmp_path / f"{index}.npy", array)
    loader = data(numpy, None, test_input_path=str(tmp_path), num_workers=num_workers).loader("test")
    with pytest.raises(DataError, match=r"1\.npy: 2 of 16 values are not a number or infinite"):
        list(loader.epoch(1))


def test_huge_values_whose_sum_overflows_are_numbers(tmp_path):
    np.save(tmp_path / "0.npy", np.full((1, 4), 3e38, np.float32))
    (batch,) = data(numpy, None, test_input_path=str(tmp_path)).loader("test").epoch(1)
    assert batch.inputs.max() > 2e38
