"""A network as the loop calls it: in the wanted precision and memory format, compiled or not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.engine.compute import Compute

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class Prepared(nn.Module):
    """Calls a network; modes go to the network itself.

    Args:
        network: The network.
        compute: How.
        device: Where.
    """

    def __init__(self, network: nn.Module, compute: Compute, device: torch.device) -> None:
        super().__init__()
        self.network = network
        self._compute = compute
        self._device = device.type
        learning: Any = network
        if compute.activation_checkpointing:
            from rmldnn.engine.recompute import recomputing  # seldom wanted

            learning = recomputing(network, compiled=compute.compile)
        elif compute.compile:
            learning = torch.compile(network)
        self._run = [torch.compile(network) if compute.compile else network, learning]

    def forward(self, *inputs: Tensor) -> Any:
        """Outputs of the network, 32-bit whatever it computes with."""
        run = self._run[torch.is_grad_enabled()]
        dtype = self._compute.autocast
        if dtype is None:
            return run(*inputs)
        with torch.autocast(self._device, dtype):
            output = run(*inputs)
        return output.float() if isinstance(output, Tensor) else tuple(each.float() for each in output)


def prepared(network: nn.Module, compute: Compute, device: torch.device) -> nn.Module:
    """What the loop is to call: the network itself where nothing is to be added to it."""
    plain = compute.autocast is None and not (compute.compile or compute.activation_checkpointing)
    return network if plain else Prepared(network, compute, device)


@torch.no_grad()
def last_channels(network: nn.Module) -> None:
    """Keeps weights of convolutions with the channels last in memory, as samples are."""
    for parameter in network.parameters():
        memory_format = _FORMATS.get(parameter.ndim)
        if memory_format is not None:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)
