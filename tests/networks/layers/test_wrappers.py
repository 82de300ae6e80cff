"""Models inside of wrappers."""

import torch

from rmldnn.networks.compile import network

IMAGE = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4, 4, 3]}}
CONV = {"class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": 3}}
FLAT = {"class_name": "Flatten", "config": {"name": "flat"}}


def test_a_model_at_every_step_of_a_sequence():
    model = {"class_name": "Functional", "config": {"name": "m", "layers": [IMAGE, CONV, FLAT]}}
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 5, 4, 4, 3]}}
    steps = network(layers=[first, {"class_name": "TimeDistributed", "config": {"name": "steps", "layer": model}}])
    alone = network(layers=[IMAGE, CONV, FLAT])
    alone.load_state_dict({key.removeprefix("steps.layer."): value for key, value in steps.state_dict().items()})
    x = torch.rand(2, 3, 5, 4, 4)
    assert steps.output_shapes == [[None, 5, 8]]
    torch.testing.assert_close(steps(x)[:, :, 1], alone(x[:, :, 1]))


def test_a_model_without_a_shape_of_its_own_takes_that_of_the_steps():
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [CONV, FLAT]}}
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 5, 4, 4, 3]}}
    steps = network(layers=[first, {"class_name": "TimeDistributed", "config": {"name": "steps", "layer": model}}])
    assert steps(torch.rand(2, 3, 5, 4, 4)).shape == (2, 8, 5)
