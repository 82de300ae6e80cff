"""Keras' own numbers for the same weights and inputs, from every file of weights; see ../shared/oracle/check.md."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rmldnn import load_network
from rmldnn.networks.compile import network

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
UPSTREAM = ORACLE.parent / "upstream"
KINDS = (".h5", ".keras")
FILES = sorted(file for file in ORACLE.glob("k[23]/*/*") if file.suffix in KINDS)
WHOLE = sorted(file for file in (*ORACLE.glob("networks/*/*"), *ORACLE.glob("networks/*/*/*")) if file.suffix in KINDS)

pytestmark = [
    pytest.mark.skipif(not ORACLE.is_dir(), reason="needs ../shared/oracle"),
    pytest.mark.filterwarnings("ignore:.*on an already erased node"),
]


def title(file):
    return str(file.relative_to(ORACLE))


def run(module, folder, dtype=torch.float32):
    """What a network gives for the inputs of a folder, with Keras' order of axes."""
    arrays = [np.load(folder / f"input_{index}.npy") for index in range(len(list(folder.glob("input_*.npy"))))]
    tensors = [torch.from_numpy(array) for array in arrays or [np.load(folder / "input.npy")]]
    last = not module.channels_first
    tensors = [x.to(dtype) if x.is_floating_point() else x for x in tensors]
    with torch.no_grad():
        outputs = module.to(dtype)(*(x.movedim(-1, 1) if last and x.dim() > 2 else x for x in tensors))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [(y.movedim(1, -1) if last and y.dim() > 2 else y).numpy() for y in outputs]


@pytest.mark.parametrize("file", FILES, ids=title)
def test_layers_give_keras_numbers(file):
    folder = file.parent
    outputs = run(load_network(folder / "model.json", file), folder)
    assert len(outputs) == len(list(folder.glob("output_*.npy")))
    for number, output in enumerate(outputs):
        expected = np.load(folder / f"output_{number}.npy")
        assert output.shape == expected.shape, number
        assert np.abs(output - expected).max() <= 1e-5 * np.abs(expected).max(), number


@pytest.mark.parametrize("file", [file for file in FILES if file.name in ("model.h5", "model.keras")], ids=title)
def test_whole_models_bring_network_and_weights(file):
    expected = run(load_network(file.parent / "model.json", file), file.parent)
    for output, other in zip(run(load_network(file), file.parent), expected, strict=True):
        assert np.array_equal(output, other)


@pytest.mark.parametrize("file", WHOLE, ids=title)
def test_whole_networks_agree_in_float64(file):
    folder = ORACLE / "networks" / file.relative_to(ORACLE).parts[1]
    (output,) = run(load_network(folder / "network.json", file), folder, torch.float64)
    expected = np.load(folder / "output_f64.npy")
    assert np.linalg.norm(output - expected) <= 1e-10 * np.linalg.norm(expected)
    assert np.abs(output - expected).max() <= 1e-9 * expected.std()


@pytest.mark.parametrize("name", ["smoke", "mnist"])
def test_whole_networks_agree_in_float32(name):
    folder = ORACLE / "networks" / name
    (output,) = run(load_network(folder / "network.json", folder / "weights_legacy.h5"), folder)
    expected = np.load(folder / "output.npy")
    assert np.linalg.norm(output - expected) <= 3e-4 * np.linalg.norm(expected)
    assert np.abs(output - expected).max() <= 5e-3 * expected.std()


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_smoke_network_counts_as_the_original_counted_it():
    config = json.loads((UPSTREAM / "smoke_tests/config_rmldnn_test.json").read_text())
    module = network(layers=config["neural_network"]["layers"])
    assert (module.title, count(module), module.num_operations) == ("Unknown", 21432, 14)


def test_the_mnist_network_counts_as_the_original_counted_it():
    module = network(layers=str(UPSTREAM / "tutorials/mnist_classification/mnist_keras_net.json"))
    assert (module.title, count(module), module.num_operations) == ("sequential", 34826, 11)
