import h5py
import numpy as np
import pytest
import torch

from rmldnn.networks.compile import network

LAYERS = [
    {"class_name": "Conv2D", "config": {"name": "conv", "filters": 3, "kernel_size": 2}},
    {"class_name": "BatchNormalization", "config": {"name": "bn"}},
    {
        "class_name": "Sequential",
        "config": {
            "name": "inner",
            "layers": [
                {"class_name": "BatchNormalization", "config": {"name": "norm"}},
                {"class_name": "Dense", "config": {"name": "first", "units": 4}},
                {"class_name": "Dense", "config": {"name": "second", "units": 4, "use_bias": False}},
            ],
        },
    },
    {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}},
    {"class_name": "Dense", "config": {"name": "head", "units": 4}},
]


def named(layers, **names):
    """The layers with others in place of some names."""
    return [
        {**layer, "config": {**layer["config"], "name": names.get(layer["config"]["name"], layer["config"]["name"])}}
        for layer in layers
    ]


@pytest.fixture
def make():
    """Makes the small network, with other weights each time; keywords rename its layers."""

    def make(layers=LAYERS, **names):
        entry = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 5, 5, 2]}}
        made = network(layers=[entry, *named(layers, **names)])
        for index, (_, _, parameter) in enumerate(made.variables()):
            random = np.random.default_rng([index, torch.initial_seed() % 1000])
            parameter.detach().copy_(torch.from_numpy(random.uniform(0.1, 1, tuple(parameter.shape))))
        torch.manual_seed(torch.initial_seed() + 1)
        return made

    return make


def in_keras(made):
    """{layer path: [(Keras' name, array in Keras' shape)]}."""
    weights = {}
    for layer, variable, parameter in made.variables():
        weights.setdefault(layer.path, []).append((variable.name, variable.view(parameter).numpy().copy()))
    return weights


@pytest.fixture
def legacy(tmp_path):
    """Writes a file in the layout of Keras 2."""

    def write(made, model="", encode=str, chunks=0, rename=str):
        path = tmp_path / "legacy.h5"
        own = in_keras(made)
        with h5py.File(path, "w") as file:
            root = file.require_group(model) if model else file
            attributes = {}
            for top in made.layers:
                group = root.create_group(top.name)
                pairs = [(layer.name, *one) for layer in top.flat() for one in own.get(layer.path, [])]
                pairs.sort(key=lambda pair: pair[1].startswith("moving"))  # trained first
                titles = [rename(f"{layer}/{title}:0") for layer, title, _ in pairs]
                for title, (_, _, array) in zip(titles, pairs, strict=True):
                    group[title] = array
                group.attrs["weight_names"] = (
                    np.array([encode(title) for title in titles]) if encode is bytes_ else titles
                )
                attributes[top.name] = titles
            names = [encode(name) for name in attributes]
            if chunks:
                for start in range(0, len(names), chunks):
                    root.attrs[f"layer_names{start // chunks}"] = names[start : start + chunks]
            else:
                root.attrs["layer_names"] = names
        return path

    return write


def bytes_(text):
    return text.encode()


@pytest.fixture
def numbered(tmp_path):
    """Writes a file in the newer layout, without names unless they are asked for."""

    def write(made, *, names=False, container="layers", twice=False, name="numbered.weights.h5"):
        path = tmp_path / name
        own = in_keras(made)

        def fill(group, layers):
            counts = {}
            for layer in layers:
                stem = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization"}.get(
                    layer.class_name, layer.class_name.lower()
                )
                number = counts.get(stem, 0)
                weighted = any(one.variables for one in layer.flat())
                counts[stem] = number + (2 if twice and weighted else 1)
                mine = group.create_group(f"{container}/{stem}" + (f"_{number}" if number else ""))
                variables = mine.create_group("vars")
                if names:
                    variables.attrs["name"] = layer.name
                for index, (_, array) in enumerate(own.get(layer.path, [])):
                    variables[str(index)] = array
                fill(mine, layer.layers)

        with h5py.File(path, "w") as file:
            file.create_group("vars")
            fill(file, made.layers)
        return path

    return write


@pytest.fixture
def equal():
    """Whether two networks have the same weights."""

    def equal(one, other):
        pairs = zip(one.variables(), other.variables(), strict=True)
        return [torch.equal(a, b) for (_, _, a), (_, _, b) in pairs] == [True] * len(list(one.variables()))

    return equal
