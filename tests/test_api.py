"""What `import rmldnn` offers to Python programs."""

import json
import subprocess
import sys

import h5py
import pytest
import torch

import rmldnn
from rmldnn.errors import CheckpointError

LAYERS = [{"class_name": "Dense", "config": {"name": "dense", "units": 2, "batch_input_shape": [None, 3]}}]


def test_importing_it_is_cheap():
    code = "import sys, rmldnn; assert not {'torch', 'h5py', 'safetensors'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_network_from_a_list_predicts():
    network = rmldnn.load_network(LAYERS)
    assert not network.training
    assert network(torch.zeros(4, 3)).shape == (4, 2)


def test_weights_come_along(tmp_path):
    original = rmldnn.load_network(LAYERS)
    rmldnn.save_weights(original, tmp_path / "w.safetensors")
    (tmp_path / "net.json").write_text(json.dumps(LAYERS))
    other = rmldnn.load_network(tmp_path / "net.json", tmp_path / "w.safetensors")
    assert torch.equal(other.dense.weight, original.dense.weight)


def test_a_whole_model_brings_its_own_weights(tmp_path):
    path = tmp_path / "model.h5"
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": LAYERS}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = ["dense"]
        root["dense/dense/kernel:0"] = [[1.0, 2], [3, 4], [5, 6]]
        root["dense/dense/bias:0"] = [7.0, 8]
        root["dense"].attrs["weight_names"] = ["dense/kernel:0", "dense/bias:0"]
    assert rmldnn.load_network(path)(torch.eye(3)).tolist() == [[8, 10], [10, 12], [12, 14]]


def test_weights_of_another_network(tmp_path):
    rmldnn.save_weights(torch.nn.Linear(1, 1), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="belongs to another network"):
        rmldnn.load_network(LAYERS, tmp_path / "w.pt")
