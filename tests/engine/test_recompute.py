import copy

import pytest
import torch
from torch import nn

from rmldnn.engine.recompute import recomputing
from rmldnn.networks.compile import network
from rmldnn.networks.draws import Draws, drawing


def deep(depth=12):
    """Convolutions with batch norm and dropout, and a skip connection over all of them."""
    conv = {"filters": 4, "kernel_size": 3, "padding": "same"}
    layers = [
        {
            "class_name": "InputLayer",
            "name": "in",
            "config": {"batch_input_shape": [None, 16, 16, 4]},
            "inbound_nodes": [],
        }
    ]
    last = "in"
    for number in range(depth):
        for kind, config in (("Conv2D", conv), ("BatchNormalization", {}), ("ReLU", {}), ("Dropout", {"rate": 0.2})):
            name = f"{kind}_{number}"
            layers.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": [[[last, 0, 0, {}]]]})
            last = name
    add = {"class_name": "Add", "name": "add", "config": {}, "inbound_nodes": [[[last, 0, 0, {}], ["in", 0, 0, {}]]]}
    config = {
        "name": "deep",
        "layers": [*layers, add],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["add", 0, 0]],
    }
    torch.manual_seed(0)
    return network(False, layers={"class_name": "Functional", "config": config})


def step(run, net, inputs):
    """Output, gradients and running statistics of one pass, and the bytes that it keeps for the way back."""
    kept = 0

    def keep(tensor):
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = run(inputs)
    output.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    return output.detach(), gradients, dict(net.named_buffers()), kept


def test_the_same_numbers_from_less_memory():
    one = deep().train()
    other = copy.deepcopy(one)
    inputs = torch.randn(2, 4, 16, 16)
    output, gradients, statistics, much = step(one, one, inputs)
    again, other_gradients, other_statistics, little = step(recomputing(other), other, inputs)
    assert torch.equal(again, output)
    for name, gradient in gradients.items():
        assert torch.equal(other_gradients[name], gradient), name
    for name, value in statistics.items():
        assert torch.equal(other_statistics[name], value), name
    assert little < much / 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_compiled_pieces_compute_the_same():
    one = deep(1).train()
    other = copy.deepcopy(one)
    inputs = torch.randn(2, 4, 16, 16)
    results = []
    for net, run in ((one, one), (other, recomputing(other, compiled=True))):
        with drawing(Draws(0, 1, "", 0, 0, 2, torch.device("cpu"))):
            output = run(inputs)
        output.square().mean().backward()
        results.append([output.detach(), *(parameter.grad for parameter in net.parameters())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_parameters_are_those_of_the_network():
    net = deep()
    assert {id(parameter) for parameter in recomputing(net).parameters()} == {id(p) for p in net.parameters()}


@pytest.mark.parametrize("net", [nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))])
def test_other_modules_are_left_alone(net):
    assert recomputing(net) is net
