"""What a network costs: multiply-adds of each layer, and the memory that a training step takes.

Measured on tensors without numbers (torch's `meta` device), so that the largest network is judged at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

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


def costs(network: Network, shapes: Sequence[Sequence[int]]) -> Costs | None:
    """Counts what a forward pass does; None if torch cannot tell for some layer.

    Args:
        network: A network on the `meta` device.
        shapes: Shapes of the inputs, (N, C, *spatial) each.
    """
    inputs = [torch.empty(tuple(shape), device="meta") for shape in shapes]
    kept: dict[int, int] = {}
    own = {tensor.untyped_storage()._cdata for tensor in network.state_dict(keep_vars=True).values()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    counter = FlopCounterMode(display=False)
    try:
        with counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            results = network.train()(*inputs)
    except (NotImplementedError, RuntimeError):
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
