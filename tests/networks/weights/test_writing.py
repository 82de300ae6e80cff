"""What is written: read back here, and by Keras in the weights' own terms."""

import os
import subprocess
import sys

import h5py
import pytest
import torch
from safetensors import safe_open
from torch import nn

import rmldnn
from rmldnn.errors import RmldnnError
from rmldnn.networks.weights import load, write

SUFFIXES = ["pt", "safetensors", "weights.h5"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(make, equal, tmp_path, suffix):
    original, other = make(), make()
    write(tmp_path / f"w.{suffix}", original, 3)
    load(tmp_path / f"w.{suffix}", other)
    assert equal(original, other)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_network_without_weights(make, tmp_path, suffix):
    layers = [{"class_name": "Flatten", "config": {"name": "flat"}}]
    write(tmp_path / f"w.{suffix}", make(layers))
    load(tmp_path / f"w.{suffix}", make(layers))


def test_a_file_for_keras_has_its_groups_and_the_names(make, tmp_path):
    write(tmp_path / "w.weights.h5", make(), 7)
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert set(file["layers"]) == {
            *("input_layer", "conv2d", "batch_normalization", "sequential", "dropout", "dense"),
        }
        assert sorted(file["layers/sequential/layers/dense_1/vars"]) == ["0"]
        assert file["layers/sequential/layers/dense_1/vars"].attrs["name"] == "second"
        assert file["layers/conv2d/vars/0"].shape == (2, 2, 2, 3)
        assert not len(file["layers/dropout/vars"])
        assert not len(file["vars"])
        assert file.attrs["epoch"] == "7"


@pytest.mark.parametrize("path", ["query_dense", "_query_dense"])
def test_parts_of_attention_have_the_names_of_both_generations(make, tmp_path, path):
    layers = [
        {"class_name": "Reshape", "config": {"name": "flat", "target_shape": [25, 2]}},
        {
            "class_name": "MultiHeadAttention",
            "config": {"name": "mha", "num_heads": 1, "key_dim": 2},
            "inbound_nodes": [[["flat", 0, 0, {"value": ["flat", 0, 0]}]]],
        },
    ]
    write(tmp_path / "w.weights.h5", make(layers))
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert len(file[f"layers/multi_head_attention/{path}/vars"]) == 2


def test_facts_in_a_file_of_safetensors(make, tmp_path):
    write(tmp_path / "w.safetensors", make(), 7)
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt", "rmldnn": rmldnn.__version__, "epoch": "7"}
        assert "inner.first.weight" in file.keys()  # noqa: SIM118


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_weights_are_saved_without_layout(tmp_path, suffix):
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 5))
    net = net.to(memory_format=torch.channels_last)
    write(tmp_path / f"w.{suffix}", net)
    other = nn.Sequential()
    other.add_module("conv", nn.Conv2d(3, 4, 5))
    load(tmp_path / f"w.{suffix}", other)
    assert torch.equal(other.conv.weight, net.conv.weight)


@pytest.mark.parametrize("name", ["w.h5", "w.keras", "w.onnx", "w"])
def test_other_suffixes(make, tmp_path, name):
    with pytest.raises(RmldnnError, match=r"its name must end with \.pt, \.safetensors, \.weights\.h5"):
        write(tmp_path / name, make())


def test_keras_files_are_for_networks_of_keras(tmp_path):
    with pytest.raises(RmldnnError, match="only networks of Keras layers"):
        write(tmp_path / "w.weights.h5", nn.Linear(1, 1))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_is_readable_as_any_other(make, tmp_path, suffix):
    umask = os.umask(0o022)
    try:
        write(tmp_path / f"w.{suffix}", make())
    finally:
        os.umask(umask)
    assert (tmp_path / f"w.{suffix}").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_failed_write_leaves_the_older_file_and_nothing_else(tmp_path, suffix):
    """A limit on file sizes stands in for a full disk, in a process of its own."""
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(b"older")
    code = f"""
import resource, signal
from rmldnn import load_network, save_weights
from rmldnn.errors import RmldnnError
layers = [{{"class_name": "Dense", "config": {{"units": 100, "batch_input_shape": [None, 100]}}}}]
network = load_network(layers)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
try:
    save_weights(network, {str(path)!r})
except RmldnnError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot write checkpoint" in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"older"


def test_write_into_a_folder_that_vanished(make, tmp_path):
    with pytest.raises(RmldnnError, match="cannot write checkpoint"):
        write(tmp_path / "gone" / "w.pt", make())
