"""Trainings that go through resolutions, as a user starts them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch


def conv(name, filters, **keys):
    return {
        "class_name": "Conv2D",
        "config": {"name": name, "filters": filters, "kernel_size": 3, "padding": "same", **keys},
    }


def layer(kind, name, *inputs, **keys):
    inbound = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, **keys}, "inbound_nodes": inbound}


def unet(depth, extent):
    """A U-Net whose layers are all layers of the one that is deeper by one."""
    size = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    layers = [layer("InputLayer", "input", batch_input_shape=[None, extent, extent, 1])]
    last = "input"
    for level in range(depth):
        layers.append(layer("Conv2D", f"down{level}", last, filters=4, **size))
        layers.append(layer("MaxPooling2D", f"pool{level}", f"down{level}", pool_size=2))
        last = f"pool{level}"
    layers.append(layer("Conv2D", f"down{depth}", last, filters=4, **size))
    last = f"down{depth}"
    for level in reversed(range(depth)):
        layers.append(layer("UpSampling2D", f"up{level}", last, size=2))
        layers.append(layer("Concatenate", f"join{level}", f"up{level}", f"down{level}"))
        layers.append(layer("Conv2D", f"out{level}", f"join{level}", filters=4, **size))
        last = f"out{level}"
    layers.append(layer("Conv2D", "head", last, filters=1, kernel_size=1))
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [["head", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "unet", "layers": layers, **ends}}


@pytest.fixture
def fields(tmp_path, monkeypatch, rmldnn):
    """A run on random fields of 16 x 16 numbers whose targets are these, smoothed."""
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).random((12, 16, 16, 1), np.float32)
    smooth = sum(np.roll(values, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    for name, array in (("inputs", values), ("targets", smooth)):
        (tmp_path / name).mkdir()
        for index, sample in enumerate(array):
            np.save(tmp_path / name / f"{index:02}.npy", sample)
    config = {
        "layers": [conv("first", 4, activation="relu", batch_input_shape=[None, 16, 16, 1]), conv("second", 1)],
        "multigrid": {"levels": [4, 8, 16], "epochs": [1, 2, 1]},
        "data": {
            "type": "numpy",
            "channel_axis": "last",
            "input_path": "inputs/",
            "target_path": "targets/",
            "test_input_path": "inputs/",
            "test_target_path": "targets/",
            "test_output_path": "out/",
            "batch_size": 4,
            "test_batch_size": 4,
        },
        "loss": "MSE",
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "checkpoints": {"save": "model/"},
    }

    def run(*arguments, **changes):
        (tmp_path / "config.json").write_text(json.dumps({"neural_network": config | changes}))
        return rmldnn("config.json", *arguments)

    return run


def extents():
    result = []
    for epoch in range(1, 5):
        with h5py.File(f"out/output_{epoch}.h5") as file:
            datasets = []
            file.visit(datasets.append)
            (shape,) = {file[name].shape[-2:] for name in datasets if isinstance(file[name], h5py.Dataset)}
            result.append(shape)
    return result


def test_one_network_goes_through_all_levels(fields):
    result = fields()
    assert (result.code, result.err) == (0, "")
    assert result.starting("Train Epoch [  4/  4]")
    assert extents() == [(4, 4), (8, 8), (8, 8), (16, 16)]


def weights(epoch):
    return torch.load(f"model/model_checkpoint_{epoch}.pt", weights_only=True)["model"]


def test_networks_grow_deeper_and_keep_what_they_have_learned(fields):
    for depth, name in ((0, "flat.json"), (1, "shallow.json")):
        Path(name).write_text(json.dumps(unet(depth, 4 * 2**depth)))
    grid = {"levels": [4, 8, 16], "epochs": [1, 2, 1], "networks": ["flat.json", "shallow.json"]}
    result = fields(layers=unet(2, 16), multigrid=grid)
    assert (result.code, result.err) == (0, "")
    assert extents() == [(4, 4), (8, 8), (8, 8), (16, 16)]
    one, two, four = (weights(epoch) for epoch in (1, 2, 4))
    assert sorted(one) == sorted(f"{name}.{kind}" for name in ("down0", "down1", "down2", "out0", "out1", "head")
                                 for kind in ("weight", "bias"))  # fmt: skip
    still = {name for name in one if torch.equal(one[name], two[name])}
    assert still == {f"{name}.{kind}" for name in ("down2", "out1") for kind in ("weight", "bias")}
    assert not any(torch.equal(two[name], four[name]) for name in two)


def test_a_layer_that_the_finest_network_has_not(fields):
    Path("flat.json").write_text(json.dumps([conv("other", 1, batch_input_shape=[None, 8, 8, 1])]))
    result = fields(multigrid={"levels": [8, 16], "networks": ["flat.json"]})
    assert result.code == 2
    assert "flat.json: multigrid.networks: the finest network has no layer `other`" in result.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_epochs": 9}, "num_epochs: is 9, but the epochs of `multigrid` are 4 together; leave it out"),
        (
            {"multigrid": {"levels": [8, 32]}},
            "multigrid.levels: end at 32, but the longest axis of `00.npy` has 16; give finer samples",
        ),
        ({"multigrid": {"levels": [8, 16], "epoch": 3}}, "`epoch`: unknown key in multigrid; did you mean `epochs`?"),
    ],
)
def test_what_does_not_go_together(fields, changes, message):
    result = fields(**changes)
    assert result.code == 2
    assert message in result.err
