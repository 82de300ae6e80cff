"""What a weight file has for a network, and what a network has for it, in the same terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from rmldnn.networks.network import Network
from rmldnn.networks.variable import Variable


class Stored(NamedTuple):
    """A tensor in a file, yet to be read.

    Args:
        shape: Its shape there.
        read: Reads it, onto the CPU.
    """

    shape: tuple[int, ...]
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Weights:
    """What a file has for a network.

    Args:
        layers: The layers in the file, with the models around them: `encoder.conv`.
        tensors: By the network's names of parameters and buffers, `<layer>.<parameter>`.
        keras: Whether their axes are in Keras' order, and so all of them weights that Keras knows.
        faults: Layers in which file and network differ too much to tell which weight is which, a line each.
    """

    layers: frozenset[str]
    tensors: Mapping[str, Stored]
    keras: bool = False
    faults: list[str] = field(default_factory=list)


class Place(NamedTuple):
    """Where a weight goes.

    Args:
        layer: What its layer is called.
        tensor: What to copy it into: in torch's order of axes or in Keras', as the file has them.
        title: Keras' own name of it, `conv/kernel:0`; empty where the file has torch's.
    """

    layer: str
    tensor: Tensor
    title: str = ""


def name(path: str, variable: Variable) -> str:
    """What torch calls a weight of the layer at this path."""
    return f"{path}.{variable.parameter}"


def places(network: nn.Module, *, keras: bool) -> dict[str, Place]:
    """Where weights go, by torch's names.

    Args:
        network: What they go into.
        keras: Whether they come as Keras has them; then only what Keras counts as a weight is listed.
    """
    variables = list(network.variables()) if isinstance(network, Network) else []
    if keras:
        return {
            name(layer.path, variable): Place(
                layer.qualified,
                variable.view(parameter),
                "/".join(filter(None, (layer.name, variable.path, variable.name))),
            )
            for layer, variable, parameter in variables
        }
    owners = {name(layer.path, variable): layer.path for layer, variable, _ in variables}
    state = network.state_dict()
    layers = set(owners.values())
    return {key: Place(owners.get(key) or layer_of(key, layers), tensor) for key, tensor in state.items()}


def layer_of(parameter: str, layers: set[str]) -> str:
    """The layer that a parameter belongs to: the longest of those known that begins its name, else its first word."""
    parts = parameter.split(".")
    starts = (".".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))
    return next((start for start in starts if start in layers), parts[0])
