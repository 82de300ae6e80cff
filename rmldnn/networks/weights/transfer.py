"""Weights from a file into the layers of a network, by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights.reading import opened, printable
from rmldnn.networks.weights.stored import Place, Weights, places

log = logging.getLogger("rmldnn")


def load(path: str | Path, network: nn.Module) -> None:
    """Copies the weights of a file into the layers of the same name; logs what the file does not have.

    Files of the newer layout of Keras that know no names are taken layer by layer in the order of the network.

    Args:
        path: The file; messages call it as it is given here.
        network: What to copy into; what is not found keeps its value.

    Raises:
        CheckpointError: The file is missing, damaged or holds no weights, a layer has another shape, or no layer is
            found at all. Nothing was copied, unless the file turned out to be damaged in the midst of it.
    """
    with opened(path, network) as weights:
        transfer(weights, network, path)


def transfer(weights: Weights, network: nn.Module, path: str | Path) -> None:
    """Copies what a file has for a network.

    Args:
        weights: What the file has.
        network: What to copy into.
        path: File name for messages.

    Raises:
        CheckpointError: A layer has another shape, or no layer is found at all. Nothing was copied.
    """
    mine = places(network, keras=weights.keras)
    found = {name: place for name, place in mine.items() if name in weights.tensors}
    if not found and not weights.faults and mine:
        raise _wrong(
            f"`{path}` belongs to another network: it has the layers {_some(weights.layers)}, "
            f"but this network has {_some({place.layer for place in mine.values()})}"
        )
    wrong = weights.faults + [
        f"   {_title(name, place)}: {list(weights.tensors[name].shape)} in the checkpoint, "
        f"{list(place.tensor.shape)} in the network"
        for name, place in found.items()
        if weights.tensors[name].shape != tuple(place.tensor.shape)
    ]
    if wrong:
        raise _wrong(
            f"`{path}` has other shapes than the network:\n" + "\n".join(wrong) + "\n"
            "   Rename a layer in the network to train it anew, or load a checkpoint of this network"
        )
    _log_missing(weights, mine)
    with torch.no_grad():
        for name, place in found.items():
            if not place.tensor.is_meta:  # a network without numbers only wants to know whether they fit
                place.tensor.copy_(weights.tensors[name].read())


def _log_missing(weights: Weights, mine: Mapping[str, Place]) -> None:
    skipped: set[str] = set()
    for name, place in mine.items():
        if name in weights.tensors or name.endswith(".num_batches_tracked"):
            continue
        if place.layer not in weights.layers and place.layer not in skipped:
            skipped.add(place.layer)
            log.info("   Skipping layer %s: not found in model", place.layer)
        log.info("   Skipping parameter %s: not found in model", _title(name, place))


def _title(name: str, place: Place) -> str:
    return f"{name} ({place.title}:0)" if place.title else name


def _some(layers: Iterable[str], limit: int = 5) -> str:
    names = sorted(layers)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "") or "(none)"


def _wrong(message: str) -> CheckpointError:
    return CheckpointError(printable(message))
