"""Weight files: for this program and torch, for whoever reads safetensors, and for Keras 2 and 3."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import rmldnn
from rmldnn.disk import Disk, reason, replacing
from rmldnn.errors import RmldnnError
from rmldnn.networks.network import Network
from rmldnn.networks.weights.numbering import VARIABLES, located
from rmldnn.networks.weights.stored import name
from rmldnn.networks.weights.torch_archive import FORMAT


def write(
    path: str | Path, network: nn.Module, epoch: int | None = None, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Writes the weights of a network so that the file is there entirely or not at all.

    Args:
        path: The file; its suffix says which kind: `.pt`, `.safetensors`, or `.weights.h5` as Keras reads it.
        network: The network; one of Keras layers for `.weights.h5`.
        epoch: Epochs of training that it has seen, noted in the file.
        weights: What its `state_dict` gives, where the network itself does not have all of it.

    Raises:
        RmldnnError: The suffix is another, or the file cannot be written; an older one of that name is as it was.
    """
    file = Path(path)
    kind = next((suffix for suffix in _WRITERS if file.name.endswith(suffix)), None)
    if kind is None:
        raise RmldnnError(f"cannot write weights to `{path}`: its name must end with {', '.join(_WRITERS)}")
    if kind == ".weights.h5" and not isinstance(network, Network):
        raise RmldnnError(f"cannot write weights to `{path}`: only networks of Keras layers go into files of Keras")
    try:
        with replacing(file) as partial:
            _WRITERS[kind](partial, network, network.state_dict() if weights is None else weights, epoch)
    except (OSError, RuntimeError) as error:  # of torch and h5py
        raise RmldnnError(f"cannot write checkpoint `{path}`: {reason(error, file.parent)}") from error


def _on_cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().to("cpu", copy=False) for key, tensor in weights.items()}


def _torch(file: Path, _: nn.Module, weights: Mapping[str, Tensor], epoch: int | None) -> None:
    content = {"model": _on_cpu(weights), "epoch": epoch, "format": FORMAT, "rmldnn": rmldnn.__version__}
    with Disk(file, "w") as disk:
        torch.save(content, disk)
        disk.check()


def _safetensors(file: Path, _: nn.Module, weights: Mapping[str, Tensor], epoch: int | None) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({key: tensor.contiguous() for key, tensor in _on_cpu(weights).items()}, file, _facts(epoch))
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error)) from error


def _facts(epoch: int | None) -> dict[str, str]:
    facts = {"format": "pt", "rmldnn": rmldnn.__version__}
    return facts if epoch is None else {**facts, "epoch": str(epoch)}


def _keras(file: Path, network: nn.Module, weights: Mapping[str, Tensor], epoch: int | None) -> None:
    import h5py

    assert isinstance(network, Network)  # noqa: S101 - seen to by `write`
    with Disk(file, "w+") as disk, h5py.File(disk, "w") as root:
        root.attrs.update(_facts(epoch))
        root.create_group(VARIABLES).attrs["name"] = network.title
        for layer, place in located(network.layers):
            group = root.create_group(place)
            group.create_group(VARIABLES).attrs["name"] = layer.name
            for variable in layer.variables:
                part = group.require_group(variable.path) if variable.path else group
                numbered = part.require_group(VARIABLES)
                numbered[str(len(numbered))] = _array(variable.view(weights[name(layer.path, variable)]))
            for other in [path for path in group if path.endswith("_dense")]:  # of attention: private in Keras 2 only
                group[other[1:] if other.startswith("_") else f"_{other}"] = group[other]
            if "/conv_lstm" in place:  # what TensorFlow's Keras called it
                root[place.replace("/conv_lstm", "/conv_lst_m")] = group
        root.close()
        disk.check()


def _array(tensor: Tensor) -> Any:
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).cpu().numpy()


_WRITERS: dict[str, Callable[[Path, nn.Module, Mapping[str, Tensor], int | None], None]] = {
    ".pt": _torch,
    ".safetensors": _safetensors,
    ".weights.h5": _keras,
}
