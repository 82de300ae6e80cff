"""Costs against those counted by hand."""

import torch

from rmldnn.networks.compile import network
from rmldnn.networks.costs import costs


def meta(*layers):
    with torch.device("meta"):
        return network(layers=list(layers))


INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}}
CONV = {"class_name": "Conv2D", "config": {"name": "c", "filters": 5, "kernel_size": 3, "padding": "same"}}
FLAT = {"class_name": "Flatten", "config": {"name": "f"}}
DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 7}}


def test_multiply_adds_of_a_sample():
    cost = costs(meta(INPUT, CONV, FLAT, DENSE), [[4, 3, 8, 8]])
    assert cost.multiply_adds["c"] == 8 * 8 * 9 * 3 * 5
    assert cost.multiply_adds["d"] == 8 * 8 * 5 * 7
    assert cost.total == cost.multiply_adds["c"] + cost.multiply_adds["d"]


def test_what_the_gradient_needs_grows_with_the_batch():
    one, two = (costs(meta(INPUT, CONV, FLAT, DENSE), [[batch, 3, 8, 8]]).activations for batch in (1, 2))
    assert two == 2 * one


def test_parameters_are_no_activations():
    cost = costs(meta(INPUT, FLAT, DENSE), [[1, 3, 8, 8]])
    assert cost.activations == 4 * 3 * 8 * 8  # the input of the dense layer
