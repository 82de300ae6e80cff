"""rmldnn: deep learning from one configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from rmldnn.networks.network import Network

__version__ = "0.1.0"


def load_network(
    path: str | PathLike[str] | list[dict[str, Any]] | dict[str, Any], weights: str | PathLike[str] | None = None
) -> Network:
    """A network of Keras as a torch module that predicts.

    It takes and gives tensors with their channels first, whatever the file has.

    Args:
        path: A Keras file (JSON, `.keras`, `.h5` of a whole model), a list of layers, or a model object.
        weights: A file of weights of any kind: `.pt`, `.safetensors`, `.weights.h5`, ... Those of `path` itself, if it
            holds any, are loaded if this is absent; if neither has weights, they are initial ones.

    Raises:
        NetworkError: The network cannot be built.
        CheckpointError: The weights cannot be read, or belong to another network.
    """
    from rmldnn.networks import weights as files
    from rmldnn.networks.compile import network

    module = network(layers=path if isinstance(path, (list, dict)) else str(path))
    if weights is None and not isinstance(path, (list, dict)) and files.has_weights(str(path)):
        weights = path
    if weights is not None:
        files.load(str(weights), module)
    return module.eval()


def save_weights(network: nn.Module, path: str | PathLike[str]) -> None:
    """Writes the weights of a network into a file that is there entirely or not at all.

    Args:
        network: What `load_network` gave; any torch module unless the file is for Keras.
        path: The file; its suffix says which kind: `.pt`, `.safetensors`, or `.weights.h5` for Keras 2 and 3.

    Raises:
        RmldnnError: The suffix is another, or the file cannot be written.
    """
    from rmldnn.networks.weights import write

    write(str(path), network)
