"""The layout of Keras 2, in the ways in which its versions wrote it."""

import h5py
import numpy as np
import pytest
import torch

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights import load
from tests.networks.weights.conftest import LAYERS, bytes_


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"model": "model_weights"},
        {"encode": bytes_},
        {"chunks": 2},
        {"rename": lambda title: title.removesuffix(":0")},
        {"rename": lambda title: f"outer/{title}"},
    ],
    ids=["weights", "model", "bytes", "pieces", "keras 3", "scopes"],
)
def test_every_way_of_writing_it(make, legacy, equal, how):
    original, other = make(), make()
    load(legacy(original, **how), other)
    assert equal(original, other)


def test_weights_whose_names_say_nothing_go_by_order_trained_ones_first(make, legacy, equal):
    original, other = make(), make()
    numbers = iter(range(100))
    load(legacy(original, rename=lambda _: f"weight_{next(numbers)}"), other)
    assert equal(original, other)


def test_an_empty_list_of_weights_may_be_one_of_numbers(make, legacy, equal):
    original, other = make(), make()
    path = legacy(original)
    with h5py.File(path, "a") as file:
        file["drop"].attrs["weight_names"] = np.array([], dtype=np.float64)
    load(path, other)
    assert equal(original, other)


def test_what_the_file_lacks_is_named_as_keras_names_it(make, legacy, caplog):
    original, other = make(), make(head="new")
    path = legacy(original)
    with h5py.File(path, "a") as file:
        file["bn"].attrs["weight_names"] = ["bn/beta:0", "bn/moving_mean:0", "bn/moving_variance:0"]
    with caplog.at_level("INFO", "rmldnn"):
        load(path, other)
    assert caplog.messages == [
        "   Skipping parameter bn.weight (bn/gamma:0): not found in model",
        "   Skipping layer new: not found in model",
        "   Skipping parameter new.weight (new/kernel:0): not found in model",
        "   Skipping parameter new.bias (new/bias:0): not found in model",
    ]


def test_the_rest_of_a_layer_that_lacks_a_weight_is_copied(make, legacy):
    original, other = make(), make()
    path = legacy(original)
    with h5py.File(path, "a") as file:
        file["bn"].attrs["weight_names"] = ["bn/beta:0", "bn/moving_mean:0", "bn/moving_variance:0"]
    load(path, other)
    assert torch.equal(other.bn.bias, original.bn.bias)


def test_a_kernel_is_one_by_its_short_name_too(make, legacy, equal):
    """Keras 3 writes the `depthwise_kernel` of Keras 2 as `kernel`."""
    layers = [{"class_name": "DepthwiseConv2D", "config": {"name": "deep", "kernel_size": 2}}]
    original, other = make(layers), make(layers)
    load(legacy(original, rename=lambda title: title.replace("depthwise_", "")), other)
    assert equal(original, other)


def test_other_shapes_are_named_in_the_order_of_keras(make, legacy):
    wide = [*LAYERS[:-1], {"class_name": "Dense", "config": {"name": "head", "units": 7}}]
    with pytest.raises(CheckpointError) as error:
        load(legacy(make()), make(wide))
    assert "   head.weight (head/kernel:0): [4, 4] in the checkpoint, [4, 7] in the network" in str(error.value)


def test_nothing_in_common(make, legacy):
    other = make(LAYERS[:1], conv="another")
    with pytest.raises(CheckpointError, match="belongs to another network: it has the layers bn, conv"):
        load(legacy(make()), other)
