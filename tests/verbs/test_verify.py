"""`rmldnn verify`: what it compares, and what it says when something is wrong."""

import json
import logging

import numpy as np
import pytest
import torch

import rmldnn
from rmldnn.cli import main

DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
IMAGE = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4, 5, 3]}}
MODEL = {
    "class_name": "Sequential",
    "keras_version": "2.15.0",
    "config": {"name": "m", "layers": [IMAGE, {"class_name": "ReLU", "config": {"name": "r"}}, DENSE]},
}


@pytest.fixture
def export(tmp_path):
    """A folder as a user of Keras would make it."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(MODEL))
    network = rmldnn.load_network(folder / "model.json")
    rmldnn.save_weights(network, folder / "model.weights.h5")
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    weight, bias = (parameter.detach().numpy() for parameter in (network.d.weight, network.d.bias))
    np.save(folder / "input_0.npy", x)
    np.save(folder / "output_0.npy", np.maximum(x, 0) @ weight.T + bias)
    return folder


@pytest.fixture
def verify(capsys):
    def verify(*words):
        code = main(["verify", *map(str, words)])
        return code, capsys.readouterr().out

    return verify


def rows(text):
    return json.loads(text)


def test_results_that_agree(export, verify):
    code, text = verify(export, "--format", "json", "--tolerance", "1e-6")
    (row,) = rows(text)
    assert code == 0
    assert (row["weights"], row["output"], row["shape"]) == ("model.weights.h5", 0, [2, 4, 5, 2])
    assert (row["verdict"], row["folder"]) == ("ok", str(export))
    assert row["relative_error"] < 1e-6


def test_warnings_are_heard_again_afterwards(export, verify):
    before = logging.getLogger("rmldnn").level
    verify(export)
    assert logging.getLogger("rmldnn").level == before


def test_the_table_says_the_same(export, verify):
    code, text = verify(export)
    assert code == 0
    assert "2 x 4 x 5 x 2" in text
    assert "1 results, all as Keras gives them" in text


def test_results_that_differ(export, verify):
    np.save(export / "output_0.npy", np.load(export / "output_0.npy") + 0.1)
    code, text = verify(export, "--format", "json")
    assert (code, rows(text)[0]["verdict"]) == (1, "differs")
    assert rows(text)[0]["max_abs_error"] == pytest.approx(0.1, rel=1e-3)


def test_the_tolerance_is_relative(export, verify):
    np.save(export / "output_0.npy", np.load(export / "output_0.npy") * 1.01)
    assert verify(export, "--tolerance", "0.02")[0] == 0
    assert verify(export, "--tolerance", "0.005")[0] == 1


def test_a_nan_is_no_agreement(export, verify):
    np.save(export / "output_0.npy", np.load(export / "output_0.npy") * np.nan)
    code, text = verify(export, "--format", "json")
    assert (code, rows(text)[0]["max_abs_error"]) == (1, None)


def test_float64_is_exact(export, verify):
    network = rmldnn.load_network(export / "model.json", export / "model.weights.h5").double()
    x = torch.from_numpy(np.load(export / "input_0.npy")).double().movedim(-1, 1)
    np.save(export / "output_0.npy", network(x).movedim(1, -1).detach().numpy())
    assert verify(export, "--dtype", "float64", "--tolerance", "1e-14")[0] == 0


def test_every_file_of_weights_is_tried(export, verify):
    wrong = rmldnn.load_network(export / "model.json")
    rmldnn.save_weights(wrong, export / "other.safetensors")
    code, text = verify(export, "--format", "json")
    assert code == 1
    assert [(row["weights"], row["verdict"]) for row in rows(text)] == [
        ("model.weights.h5", "ok"),
        ("other.safetensors", "differs"),
    ]


def test_a_folder_that_cannot_be_compared_does_not_stop_the_others(export, verify, tmp_path):
    code, text = verify(tmp_path / "missing", export, "--format", "json")
    assert code == 1
    assert [row["verdict"] for row in rows(text)] == ["differs", "ok"]
    assert "there is no folder" in rows(text)[0]["message"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model.json", "no model.json, model.keras or full-model .h5 in it"),
        ("input_0.npy", "no input_0.npy in it"),
        ("output_0.npy", "no output_0.npy in it"),
        ("model.weights.h5", "no weights beside model.json"),
    ],
)
def test_what_is_missing_is_named(export, verify, file, message):
    (export / file).unlink()
    code, text = verify(export, "--format", "json")
    assert code == 1
    assert message in rows(text)[0]["message"]


def test_another_shape_is_a_difference(export, verify):
    np.save(export / "output_0.npy", np.zeros((2, 3)))
    code, text = verify(export, "--format", "json")
    assert (code, rows(text)[0]["verdict"]) == (1, "differs")
    assert "[2, 3]" in rows(text)[0]["message"]


def test_too_few_outputs(export, verify):
    np.save(export / "output_1.npy", np.zeros(3))
    code, text = verify(export, "--format", "json")
    assert code == 1
    assert "the network has 1 outputs, but there are 2 files" in rows(text)[0]["message"]


def test_an_odd_tolerance_is_refused(export, capsys):
    assert main(["verify", str(export), "--tolerance", "-1"]) == 2
    assert "--tolerance must be a number at least 0" in capsys.readouterr().err
