"""Modules of libtorch: `libtorch.pt` was written by libtorch 2.13 from C++.

torch::manual_seed(0); net->register_module("conv1/conv", Conv2d(Conv2dOptions(2, 3, 3)));
net->register_module("conv1/bn", BatchNorm2d(3)); net->register_module("class", Linear(3, 2));
torch::save(net, "libtorch.pt");
"""

import contextlib
import pickle
import zipfile
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights import load
from rmldnn.networks.weights.libtorch_archive import read

FROM_CPP = Path(__file__).with_name("libtorch.pt")


def module(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential()
    net.add_module("conv1/conv", nn.Conv2d(2, 3, 3))
    net.add_module("conv1/bn", nn.BatchNorm2d(3))
    net.add_module("class", nn.Linear(3, 2))
    return net


def test_a_module_from_cpp():
    """The same seed gives the same numbers in C++ and Python."""
    other = module(seed=1)
    load(FROM_CPP, other)
    torch.testing.assert_close(other.state_dict(), module(seed=0).state_dict(), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore")
def test_a_module_of_torchscript(tmp_path):
    net = nn.Sequential()
    net.add_module("outer", nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    net.add_module("last", nn.Linear(3, 2).double().requires_grad_(False))
    torch.jit.script(net).save(tmp_path / "script.pt")
    found = {name: stored.read() for name, stored in read(tmp_path / "script.pt").items()}
    torch.testing.assert_close(found, dict(net.state_dict()), rtol=0, atol=0)


def rewritten(path, change):
    """The file from C++ with its members changed."""
    with zipfile.ZipFile(FROM_CPP) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if (content := change(name, old.read(name))) is not None:
                new.writestr(name, content)
    return path


def test_its_code_is_not_even_read(tmp_path):
    path = rewritten(tmp_path / "x.pt", lambda name, content: b"\0 no code" if "/code/" in name else content)
    other = module(seed=1)
    load(path, other)
    assert torch.equal(other.get_submodule("class").bias, module(seed=0).get_submodule("class").bias)


class Evil:
    def __reduce__(self):
        return print, ("pwned",)


@pytest.mark.parametrize("what", [Evil(), print, pickle.Unpickler])
def test_its_pickle_runs_nothing(tmp_path, capsys, what):
    content = pickle.dumps(what)
    path = rewritten(tmp_path / "x.pt", lambda name, old: content if name.endswith("/data.pkl") else old)
    with pytest.raises(CheckpointError, match="which no weights need"):
        load(path, module())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [{"a": 1}, [1, 2], None])
def test_a_file_without_weights(tmp_path, content):
    pickled = pickle.dumps(content)
    path = rewritten(tmp_path / "x.pt", lambda name, old: pickled if name.endswith("/data.pkl") else old)
    with pytest.raises(CheckpointError, match="is a libtorch file, but holds no network's weights"):
        load(path, module())


def test_another_byte_order(tmp_path):
    path = rewritten(tmp_path / "x.pt", lambda name, old: b"big" if name.endswith("/byteorder") else old)
    with pytest.raises(CheckpointError, match="another byte order"):
        load(path, module())


def test_numbers_that_are_missing(tmp_path):
    path = rewritten(tmp_path / "x.pt", lambda name, old: old[:4] if "/data/" in name else old)
    with pytest.raises(CheckpointError, match="is damaged"):
        load(path, module())


@pytest.mark.parametrize("block", range(4))
def test_damage_anywhere_is_reported_as_such(tmp_path, block):
    whole = FROM_CPP.read_bytes()
    random = Random(block)
    for _ in range(25):
        spoilt = bytearray(whole)
        for _ in range(random.randint(1, 8)):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        (tmp_path / "spoilt.pt").write_bytes(spoilt)
        with contextlib.suppress(CheckpointError):  # nothing else, and not every byte matters
            load(tmp_path / "spoilt.pt", module())
