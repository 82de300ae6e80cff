"""Costs against those counted by hand."""

import torch

from rmldnn.networks.compile import network
from rmldnn.networks.costs import Memory, costs, memory


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


def test_a_softmax_is_judged_without_numbers():
    assert costs(meta(INPUT, FLAT, {**DENSE, "config": {**DENSE["config"], "activation": "softmax"}}), [[1, 3, 8, 8]])


def test_a_network_with_numbers_costs_the_same():
    layers = [INPUT, CONV, FLAT, DENSE]
    assert costs(network(layers=layers), [[2, 3, 8, 8]]) == costs(meta(*layers), [[2, 3, 8, 8]])


def test_each_stage_of_zero_shares_one_thing_more():
    whole = Memory(weights=100, gradients=90, optimizer=201, activations=7)
    assert whole.shared(4, 0) == whole
    assert whole.shared(4, 1) == Memory(100, 90, 51, 7)
    assert whole.shared(4, 2) == Memory(100, 23, 51, 7)
    assert whole.shared(4, 3) == Memory(25, 23, 51, 7)


def test_what_adam_keeps_is_found_by_a_step():
    made = meta(INPUT, FLAT, DENSE)
    weights = 4 * sum(parameter.numel() for parameter in made.parameters())
    kept = memory(made, torch.optim.Adam(made.parameters()), activations=5)
    assert (kept.weights, kept.gradients, kept.activations) == (weights, weights, 5)
    assert 0 <= kept.optimizer - 2 * weights < 100
