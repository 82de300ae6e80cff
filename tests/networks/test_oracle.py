"""Keras' own numbers for the same weights and inputs; see ../shared/oracle/check.md for the bars."""

import json
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from rmldnn.networks import layers
from rmldnn.networks.compile import network
from rmldnn.networks.keras import read

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
UPSTREAM = ORACLE.parent / "upstream"
GROUPS = [
    "k2/activations", "k2/conv2d", "k2/dense", "k2/merge", "k2/pooling2d", "k2/sequential",
    "k3/activation_layers", "k3/conv1d", "k3/conv3d", "k3/global_pooling", "k3/pooling1d", "k3/reshape",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="needs ../shared/oracle")


def known_part(model):
    """The model without layers of classes that are not built here, and for each output left its number in the model."""
    if model["class_name"] == "Sequential":
        return model, [0]
    config = model["config"]
    kept = [layer for layer in config["layers"] if layers.find(layer["class_name"])]
    names = {layer["name"] for layer in kept}
    refs = config["output_layers"] if isinstance(config["output_layers"][0], list) else [config["output_layers"]]
    outputs = [index for index, ref in enumerate(refs) if ref[0] in names]
    return {**model, "config": {**config, "layers": kept, "output_layers": [refs[index] for index in outputs]}}, outputs


def legacy_weights(path):
    """{layer: {parameter: array}} of an HDF5 file as Keras 2 writes it."""
    weights = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                weights.setdefault(name.split("/")[0], {}).update({name.split("/")[-1].split(":")[0]: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return weights


def numbered_weights(path, graph):
    """{layer: {parameter: array}} of an HDF5 file as Keras 3 writes it: classes numbered in file order."""
    counts, weights = Counter(), {}
    with h5py.File(path) as file:
        for node in graph.nodes:
            stem = node.class_name.lower()
            number = counts[stem]
            counts[stem] += 1
            group = file.get(f"layers/{stem}_{number}/vars" if number else f"layers/{stem}/vars")
            if group is not None and len(group):
                weights[node.name] = dict(
                    zip(("kernel", "bias"), (group[key][()] for key in sorted(group)), strict=False)
                )
    return weights


def load(module, weights):
    """Puts Keras' weights into a network: kernels are (*window, in, out) there, (out, in, *window) here."""
    state = {}
    for layer, parameters in weights.items():
        for name, value in parameters.items():
            if name == "kernel":
                value = np.moveaxis(value, (-1, -2), (0, 1))
            state[f"{layer}.{ {'kernel': 'weight'}.get(name, name) }"] = torch.from_numpy(np.ascontiguousarray(value))
    known = module.state_dict()
    module.load_state_dict({key: state[key] for key in known})
    return module


def run(module, inputs, dtype):
    tensors = [torch.from_numpy(array).to(dtype) for array in inputs]
    with torch.no_grad():
        outputs = module.to(dtype).eval()(*(x.movedim(-1, 1) if x.dim() > 2 else x for x in tensors))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [(y.movedim(1, -1) if y.dim() > 2 else y).numpy() for y in outputs]


@pytest.mark.parametrize("group", GROUPS)
def test_layers_give_keras_numbers(group):
    folder = ORACLE / group
    model, numbers = known_part(json.loads((folder / "model.json").read_text()))
    if (folder / "weights_legacy.h5").exists():
        weights = legacy_weights(folder / "weights_legacy.h5")
    else:
        weights = numbered_weights(folder / "model.weights.h5", read(model))
    module = load(network(layers=model), weights)
    inputs = [np.load(folder / f"input_{index}.npy") for index in range(len(list(folder.glob("input_*.npy"))))]
    inputs = inputs[: len(module.input_shapes)]
    outputs = run(module, inputs, torch.float32)
    assert len(outputs) == len(numbers)
    for number, output in zip(numbers, outputs, strict=True):
        expected = np.load(folder / f"output_{number}.npy")
        assert output.shape == expected.shape, number
        assert np.abs(output - expected).max() <= 1e-5 * np.abs(expected).max(), number


@pytest.mark.parametrize("name", ["smoke", "mnist"])
def test_whole_networks_agree_in_float64(name):
    folder = ORACLE / "networks" / name
    module = load(network(layers=str(folder / "network.json")), legacy_weights(folder / "weights_legacy.h5"))
    (output,) = run(module, [np.load(folder / "input.npy")], torch.float64)
    expected = np.load(folder / "output_f64.npy")
    assert np.linalg.norm(output - expected) <= 1e-10 * np.linalg.norm(expected)
    assert np.abs(output - expected).max() <= 1e-9 * expected.std()


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_smoke_network_counts_as_the_original_counted_it():
    config = json.loads((UPSTREAM / "smoke_tests/config_rmldnn_test.json").read_text())
    module = network(layers=config["neural_network"]["layers"])
    assert (module.title, count(module), module.num_operations) == ("Unknown", 21432, 14)


def test_the_mnist_network_counts_as_the_original_counted_it():
    module = network(layers=str(UPSTREAM / "tutorials/mnist_classification/mnist_keras_net.json"))
    assert (module.title, count(module), module.num_operations) == ("sequential", 34826, 11)
