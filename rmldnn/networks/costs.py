"""What a network costs: multiply-adds of each layer, and the memory that a training step takes.

Measured on tensors without numbers (torch's `meta` device), so that the largest network is judged at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from rmldnn.compiler import without_compiler
from rmldnn.networks.network import Network


@dataclass(frozen=True)
class Costs:
    """What one training step costs.

    Args:
        multiply_adds: Multiply-adds of matrix products and convolutions for one sample, by the path of the layer.
        total: Their sum, those outside of modules included.
        activations: Bytes that a forward pass in training keeps for the gradient.
    """

    multiply_adds: dict[str, int]
    total: int
    activations: int


@dataclass(frozen=True)
class Memory:
    """Bytes that a training step takes in one process; numbers of 4 bytes.

    Args:
        weights: The weights.
        gradients: Their gradients.
        optimizer: What the optimizer keeps.
        activations: What a forward pass keeps for the gradient.
    """

    weights: int
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def shared(self, world: int, stage: int) -> Memory:
        """The same where so many processes keep parts of it, by the stage of ZeRO."""
        parts = ("optimizer", "gradients", "weights")[:stage]
        return replace(self, **{name: -(-getattr(self, name) // world) for name in parts})


def memory(network: nn.Module, optimizer: torch.optim.Optimizer | None, activations: int = 0) -> Memory:
    """What a training step takes.

    Args:
        network: The network, on any device.
        optimizer: Made for its parameters, which mean nothing: it takes a step. None if it is not known.
        activations: Bytes that a forward pass in training keeps.
    """
    parameters = list(network.parameters())
    weights = 4 * sum(parameter.numel() for parameter in parameters)
    weights += sum(buffer.numel() * buffer.element_size() for buffer in network.buffers())
    gradients = 4 * sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return Memory(weights, gradients, 0 if optimizer is None else _kept(optimizer), activations)


def _kept(optimizer: torch.optim.Optimizer) -> int:
    """Bytes that an optimizer keeps, found by letting it take a step; 0 if it cannot."""
    if getattr(optimizer, "needs_closure", False):
        return 0  # it needs the loss to step; what it remembers depends on the batch
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = parameter.detach()
    with without_compiler():
        optimizer.step()
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    return sum(value.numel() * value.element_size() for value in kept)


def costs(network: Network, shapes: Sequence[Sequence[int]]) -> Costs | None:
    """Counts what a forward pass does; None if torch cannot tell for some layer.

    Args:
        network: A network, on the `meta` device unless it is small.
        shapes: Shapes of the inputs, (N, C, *spatial) each.
    """
    device = next((parameter.device for parameter in network.parameters()), torch.device("meta"))
    inputs = [torch.zeros(tuple(shape), device=device) for shape in shapes]
    kept: dict[int, int] = {}
    own = {tensor.untyped_storage()._cdata for tensor in network.state_dict(keep_vars=True).values()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    counter = FlopCounterMode(display=False)
    try:
        with without_compiler(), counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            results = network.train()(*inputs)
    except RuntimeError:  # of which NotImplementedError is one
        return None
    del results
    batch = shapes[0][0] if shapes else 1
    root = type(network).__name__
    counted = counter.get_flop_counts()
    by_layer = {
        name.removeprefix(f"{root}."): sum(flops.values()) // 2 // batch
        for name, flops in counted.items()
        if name.startswith(f"{root}.")
    }
    return Costs(by_layer, counter.get_total_flops() // 2 // batch, sum(kept.values()))
