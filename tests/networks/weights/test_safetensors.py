import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights import load


def module():
    net = nn.Sequential()
    net.add_module("dense", nn.Linear(4, 3))
    return net


def test_a_file_of_any_name(tmp_path):
    original, other = module(), module()
    save_file(dict(original.state_dict()), tmp_path / "weights.bin")
    load(tmp_path / "weights.bin", other)
    torch.testing.assert_close(other.state_dict(), original.state_dict(), rtol=0, atol=0)


def test_numbers_of_another_type_are_turned(tmp_path):
    save_file({"dense.bias": torch.tensor([1.0, 2.0, 3.0]).bfloat16()}, tmp_path / "x.safetensors")
    other = module()
    load(tmp_path / "x.safetensors", other)
    assert other.dense.bias.tolist() == [1, 2, 3]


def test_complex_numbers(tmp_path):
    save_file({"dense.bias": torch.ones(3, dtype=torch.complex64)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="holds no network's weights"):
        load(tmp_path / "x.safetensors", module())


def test_a_damaged_file(tmp_path):
    header = json.dumps({"dense.bias": {"dtype": "F32", "shape": [3], "data_offsets": [0, 99]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(12))
    with pytest.raises(CheckpointError, match="is damaged, or no checkpoint"):
        load(tmp_path / "x.safetensors", module())


def test_a_file_without_tensors(tmp_path):
    save_file({}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"it has the layers \(none\)"):
        load(tmp_path / "x.safetensors", module())
