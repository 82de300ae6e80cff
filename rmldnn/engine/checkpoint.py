"""Checkpoints: a run saves the network's weights now and then, and may start from saved ones."""

from __future__ import annotations

import hashlib
import logging
import pathlib
import tempfile
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from rmldnn.component import component
from rmldnn.errors import CheckpointError, ConfigError, Problem
from rmldnn.networks import weights
from rmldnn.steps import EpochEnd, Step
from rmldnn.types import Count, Path

log = logging.getLogger("rmldnn")


@component("checkpoints")
def checkpoints(
    *,
    save: Path | None = None,
    interval: Count = 1,
    format: Literal["pt", "safetensors", "weights.h5"] = "pt",  # noqa: A002 - what users write
    load: Path | None = None,
) -> Checkpoints:
    """Saves the network during training, and starts it from a saved one.

    Args:
        save: Folder for `model_checkpoint_<epoch>.<format>`; created if missing. Nothing is saved if absent.
        interval: Number of epochs from one checkpoint to the next; the last epoch is saved in any case.
        format: Kind of the files: of torch, of safetensors, or `weights.h5` for `load_weights` of Keras.
        load: Weights to start from: a checkpoint, a file of safetensors, of Keras (`.h5`, `.weights.h5`, `.keras`) or
            of libtorch; layers that it does not have keep their initial weights.

    Raises:
        ConfigError: Files cannot be written to `save`.
    """
    folder = None
    if save is not None:
        folder = pathlib.Path(save)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise ConfigError(
                Problem("checkpoints.save", f"cannot write checkpoints to `{save}`: {error.strerror or error}")
            ) from None
    return Checkpoints(folder, interval, load, format)


@dataclass(frozen=True)
class Checkpoints:
    """Where and when to save a network, and what to load it from."""

    folder: pathlib.Path | None = None
    interval: int = 1
    load: str | None = None
    format: str = "pt"

    def load_into(self, network: nn.Module, layers: Any = None) -> None:
        """Loads the checkpoint, else the weights that come with the network, if there are any; every process does.

        Args:
            network: What to load into.
            layers: What the network was made from: a file of a whole model holds weights as well.

        Raises:
            CheckpointError: The file is missing, damaged, no checkpoint, or one of another network.
        """
        path = self.load
        if path is None:
            if not isinstance(layers, str) or not weights.has_weights(layers):
                return
            path = layers
        kind = "HDF5 file" if weights.is_hdf5(path) else "file"
        log.info("Loading model checkpoint from %s: %s", kind, path)
        try:
            weights.load(path, network)
        except CheckpointError as error:
            raise CheckpointError([replace(one, path="checkpoints.load") for one in error.problems]) from None

    def saver(self, network: nn.Module) -> Saver:
        """What saves the network at the ends of epochs; only rank 0 is to feed it with steps."""
        return Saver(network, self.folder, self.interval, self.format)


class Saver:
    """Consumes steps and writes checkpoints.

    Args:
        network: What to save.
        folder: Where to; None saves nothing.
        interval: Number of epochs from one checkpoint to the next.
        kind: Suffix of the files, which says what they are.
    """

    def __init__(self, network: nn.Module, folder: pathlib.Path | None, interval: int, kind: str = "pt") -> None:
        self._network = network
        self._folder = folder
        self._interval = interval
        self._kind = kind
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""

    def consume(self, step: Step) -> None:
        """Writes a checkpoint if it is time for one.

        Raises:
            RmldnnError: It cannot be written.
        """
        if not isinstance(step, EpochEnd) or self._folder is None:
            return
        if step.epoch % self._interval == 0 or step.epoch == step.num_epochs:
            path = self._folder / f"model_checkpoint_{step.epoch}.{self._kind}"
            weights.write(path, self._network, step.epoch)
            self.outputs = [("Model checkpoint", str(path))]

    def close(self) -> None:
        """Has nothing to complete: each checkpoint is whole or absent."""


def fingerprint(network: nn.Module) -> str:
    """A text that differs between networks of other weights or another structure."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
