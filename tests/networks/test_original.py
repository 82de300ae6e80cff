"""The four things that the original does its own way in training."""

import pytest
import torch

from rmldnn.networks.compile import network

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4, 4, 3]}}


def norm(**config):
    return {"class_name": "BatchNormalization", "config": {"name": "norm", **config}}


def built(layer, semantics):
    torch.manual_seed(0)
    return network(layers=[INPUT, layer], semantics=semantics)


def test_initializers_of_the_file_are_passed_over():
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "kernel_initializer": "zeros"}}
    assert built(layer, "keras").d.weight.abs().sum() == 0
    plain = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
    assert torch.equal(built(layer, "original").d.weight, built(plain, "keras").d.weight)


def test_batch_norm_has_weight_and_bias_whatever_the_file_says():
    assert not list(built(norm(center=False, scale=False), "keras").parameters())
    assert len(list(built(norm(center=False, scale=False), "original").parameters())) == 2


@pytest.mark.parametrize(("momentum", "keras", "original"), [(0.1, 0.9, 0.1), (0.5, 0.5, 0.5), (0.99, 0.01, 0.01)])
def test_a_small_momentum_is_torchs(momentum, keras, original):
    assert built(norm(momentum=momentum), "keras").norm.momentum == pytest.approx(keras)
    assert built(norm(momentum=momentum), "original").norm.momentum == pytest.approx(original)


@pytest.mark.parametrize(("semantics", "moves"), [("keras", False), ("original", True)])
def test_statistics_of_a_frozen_batch_norm(semantics, moves):
    module = built(norm(trainable=False), semantics).train()
    module(torch.rand(8, 3, 4, 4))
    assert bool(module.norm.running_mean.abs().sum()) == moves
    assert not any(parameter.requires_grad for parameter in module.parameters())
