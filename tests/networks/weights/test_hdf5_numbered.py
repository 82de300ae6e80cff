"""The newer layout: layers by number in their class, and what tells their names."""

import json
import zipfile

import h5py
import pytest
import torch

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights import load
from tests.networks.weights.conftest import LAYERS


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"names": True},
        {"container": "_layer_checkpoint_dependencies"},
        {"container": "_layer_checkpoint_dependencies", "twice": True},
    ],
    ids=["numbers", "names", "TensorFlow 2.13", "TensorFlow 2.12"],
)
def test_every_way_of_writing_it(make, numbered, equal, how):
    original, other = make(), make()
    load(numbered(original, **how), other)
    assert equal(original, other)


def test_names_of_layers_count_where_the_file_has_them(make, numbered):
    layers = [{"class_name": "Dense", "config": {"name": name, "units": 2}} for name in ("a", "b")]
    original, other = make(layers), make(layers, a="b", b="a")
    load(numbered(original, names=True), other)
    assert torch.equal(other.a.weight, original.a.weight)


def archive(path, layers, weights, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.0.5"}))
        file.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}}))
        if weights is not None:
            file.write(weights, "model.weights.h5")
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_tells_the_names(make, numbered, compression, tmp_path):
    """A part of the network, which the structure alone would not give away."""
    original = make()
    path = archive(tmp_path / "model.keras", LAYERS, numbered(original), compression)
    part = make(LAYERS[:3], conv="other")
    before = part.other.weight.clone()
    load(path, part)
    assert torch.equal(part.bn.weight, original.bn.weight)
    assert torch.equal(part.get_submodule("inner.second").weight, original.get_submodule("inner.second").weight)
    assert torch.equal(part.other.weight, before)


def test_an_archive_without_weights(make, tmp_path):
    with pytest.raises(CheckpointError, match="without `model.weights.h5`"):
        load(archive(tmp_path / "model.keras", LAYERS, None), make())


def test_other_names_of_the_same_structure_do(make, numbered, equal):
    original = make()
    other = make(conv="a", bn="b", inner="c", head="d")
    load(numbered(original, names=True), other)
    assert equal(original, other)


def test_a_network_with_fewer_layers_of_a_class_is_told_so(make, numbered):
    with pytest.raises(CheckpointError, match=r"it has 1 layers with weights of class `dense`, and this network has 0"):
        load(numbered(make()), make(LAYERS[:-1]))


def test_a_difference_within_a_nested_model_is_placed(make, numbered):
    inner = LAYERS[2]["config"]
    less = {"class_name": "Sequential", "config": {**inner, "layers": inner["layers"][:2]}}
    with pytest.raises(
        CheckpointError, match=r"it has 2 layers with weights of class `Dense` in `inner`.*has 1 \(first"
    ):
        load(numbered(make()), make([*LAYERS[:2], less, *LAYERS[3:]]))


def test_layers_without_weights_count_in_their_class(make, numbered, equal):
    plain = {"class_name": "BatchNormalization", "config": {"name": "plain", "center": False, "scale": False}}
    layers = [{"class_name": "LayerNormalization", "config": {"name": "none", "center": False, "scale": False}}]
    layers += [{"class_name": "LayerNormalization", "config": {"name": "some"}}, plain]
    original, other = make(layers), make(layers)
    path = numbered(original)
    with h5py.File(path, "a") as file:  # Keras 3 writes no groups for layers without weights
        file.move("layers/layernormalization_1", "layers/layer_normalization_1")
        del file["layers/layernormalization"]
    load(path, other)
    assert equal(original, other)


def test_states_of_random_generators_are_no_weights(make, numbered, equal):
    original, other = make(), make()
    path = numbered(original)
    with h5py.File(path, "a") as file:
        file["layers/dropout/seed_generator/vars/0"] = [1, 2]
    load(path, other)
    assert equal(original, other)


def test_a_layer_with_more_weights_than_the_network_knows(make, numbered):
    path = numbered(make(), names=True)
    with h5py.File(path, "a") as file:
        file["layers/dense/vars/2"] = [1.0]
    with pytest.raises(CheckpointError, match="   head: 3 weights in the checkpoint, 2 in the network"):
        load(path, make())


def test_parts_of_layers_may_be_private(make, tmp_path, equal):
    """Attention's `query_dense` is `_query_dense` in Keras 2."""
    layers = [
        {"class_name": "Reshape", "config": {"name": "flat", "target_shape": [25, 2]}},
        {"class_name": "LSTM", "config": {"name": "lstm", "units": 3}},
    ]
    original, other = make(layers), make(layers)
    path = tmp_path / "private.weights.h5"
    with h5py.File(path, "w") as file:
        for index, (_, variable, parameter) in enumerate(original.variables()):
            file[f"layers/lstm/_cell/vars/{index}"] = variable.view(parameter).numpy()
    load(path, other)
    assert equal(original, other)
