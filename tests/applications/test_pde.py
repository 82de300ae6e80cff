"""Runs of the task `pde`."""

import json

import h5py
import numpy as np
import pytest
import torch

from rmldnn.data.diffusivity import diffusivity, modes
from rmldnn.losses.poisson import Poisson2D

CONFIG = {
    "task": "pde",
    "outfile": "out.txt",
    "layers": [
        {
            "class_name": "Conv2D",
            "config": {
                "name": "conv",
                "filters": 1,
                "kernel_size": 3,
                "padding": "same",
                "batch_input_shape": [None, None, None, 2],
            },
        }
    ],
    "data": {
        "type": "numpy",
        "input_path": "./train/",
        "target_path": "./train/",
        "test_input_path": "./test/",
        "test_target_path": "./test/",
        "test_output_path": "./predictions/",
        "input_transforms": [{"log": {}}, {"coordinates": ["x"]}],
        "batch_size": 4,
        "test_batch_size": 2,
    },
    "loss": {"function": "Poisson2D_PDE", "boundary": "exact", "normalize": "sample"},
    "optimizer": {"type": "SGD", "learning_rate": 0.01},
}


@pytest.fixture
def maps(tmp_path, monkeypatch):
    """A working directory with 6 maps to train with, and 3 to test."""
    monkeypatch.chdir(tmp_path)
    for seed, (name, count) in enumerate([("train", 6), ("test", 3)]):
        (tmp_path / name).mkdir()
        for index in range(count):
            np.save(tmp_path / name / f"{index}.npy", diffusivity([modes(9, 0.5, 4), modes(7, 0.5, 4)], seed, index))
    return tmp_path


@pytest.fixture
def solve(maps, fork_server):
    """Runs the configuration with changes to a copy of it."""

    def run(*overrides, change=lambda config: None):
        config = json.loads(json.dumps(CONFIG))
        change(config)
        (maps / "config.json").write_text(json.dumps({"neural_network": config}))
        return fork_server(maps, "config.json", *overrides)

    return run


def predictions(folder, epoch=1):
    with h5py.File(folder / f"predictions/output_{epoch}.h5") as file:
        return {name: dataset[...] for name, dataset in file.items()}


def judged(folder, found):
    """The loss of predictions, with nothing done to them."""
    names = sorted(found)
    nu = torch.tensor(np.stack([np.load(folder / f"test/{name.removesuffix('.npy')}.npy") for name in names]))
    return Poisson2D(normalize="sample")(torch.tensor(np.stack([found[name] for name in names])), nu).item()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_predictions_are_solutions(maps, solve, precision):
    result = solve(f"precision={precision}")
    assert result.code == 0, result.err
    found = predictions(maps)
    assert len(found) == 3
    for field in found.values():
        assert field.shape == (1, 9, 7)
        assert (field[:, 0] == 1).all()
        assert (field[:, -1] == 0).all()
    loss = float((maps / "out_test.txt").read_text().splitlines()[-1].split()[-1])
    assert judged(maps, found) == pytest.approx(loss, rel=1e-3)


def test_there_is_no_accuracy(solve):
    assert "Accuracy" not in solve().out


def test_without_coefficients_it_predicts(maps, solve):
    def change(config):
        for key in ("input_path", "target_path", "test_target_path"):
            del config["data"][key]
        del config["optimizer"]

    result = solve(change=change)
    assert result.code == 0, result.err
    assert all((field[:, 0] == 1).all() for field in predictions(maps).values())


def test_the_network_s_output_stays_where_the_boundary_is_masked(maps, solve):
    result = solve("task=dnn", "loss.boundary=mask")
    assert result.code == 0, result.err
    assert not any((field[:, 0] == 1).all() for field in predictions(maps).values())


def test_exact_boundaries_of_another_task(solve):
    result = solve("task=dnn")
    assert result.code == 2
    assert "loss.boundary: `exact` makes the solution of the network's output" in result.err


def test_another_loss(solve):
    result = solve("loss=mse")
    assert result.code == 2
    assert "loss: the task `pde` takes one differential equation" in result.err


def test_coefficients_that_went_through_the_transforms_of_inputs(solve):
    def change(config):
        config["data"]["transforms"] = [{"log": {}}]
        config["data"]["input_transforms"] = [{"coordinates": ["x"]}]

    result = solve(change=change)
    assert result.code == 2
    assert "a transform such as `log` that is for the network alone belongs to `input_transforms`" in result.err
    assert "Train Epoch" not in result.out


@pytest.mark.parametrize(("bad", "whose"), [(0, "./train/0.npy"), (4, "4.npy")])
@pytest.mark.parametrize("task", ["pde", "dnn"])
def test_the_file_of_a_coefficient_that_is_not_positive_is_named(maps, solve, bad, whose, task):
    field = np.load(maps / f"train/{bad}.npy")
    field[..., 2, 2] = -0.5
    np.save(maps / f"train/{bad}.npy", field)

    def change(config):
        config["data"]["input_transforms"] = [{"coordinates": ["x"]}]
        config["loss"]["boundary"] = "mask"

    result = solve(f"task={task}", change=change)
    assert result.code == 2
    assert f"needs coefficients greater than 0, but the target of `{whose}` holds -0.5; repair it" in result.err


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"filters": 2},
            "Poisson2D_PDE needs an output of 1 channel on 2 axes in space, but the network gives (n, 2, ",
        ),
        ({"strides": 2}, "Poisson2D_PDE needs coefficients in one channel, 5 x 4 as outputs are, but the target has"),
    ],
)
def test_a_network_that_does_not_fit_is_found_before_the_training(solve, keys, message):
    def change(config):
        config["layers"][0]["config"] |= {**keys, "batch_input_shape": [None, 9, 7, 2]}

    result = solve(change=change)
    assert result.code == 2
    assert message in result.err
    assert "Train Epoch" not in result.out


def test_burgers_from_generated_initial_conditions(maps, solve):
    def change(config):
        config["layers"][0] = {
            "class_name": "Conv1D",
            "config": {
                "name": "conv",
                "filters": 5,
                "kernel_size": 3,
                "padding": "same",
                "batch_input_shape": [None, 16, 1],
            },
        }
        config["data"] = {
            "type": "pde",
            "domain_size": 16,
            "num_examples": 4,
            "num_test_examples": 2,
            "test_output_path": "./predictions/",
        }
        config["loss"] = {"function": "Burgers_PDE", "diffusion_coeff": 0.05, "boundary": "exact"}

    result = solve(change=change)
    assert result.code == 0, result.err
    for field in predictions(maps).values():
        assert field.shape == (5, 16)
        assert field[0].max() > 0.9  # the initial condition
        assert not field[1:, 0].any()
