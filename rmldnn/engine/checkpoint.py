"""Checkpoints: a run saves the network's weights now and then, and may start from saved ones."""

from __future__ import annotations

import hashlib
import logging
import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from rmldnn.component import component
from rmldnn.engine.interface import Engine
from rmldnn.engine.scattered import collected
from rmldnn.engine.scores import Scores, better
from rmldnn.errors import CheckpointError
from rmldnn.networks import weights
from rmldnn.output.places import make_folder, require_room
from rmldnn.steps import EpochEnd, Step
from rmldnn.types import Count, Keep, NonNegative, Path

log = logging.getLogger("rmldnn")


@component("checkpoints")
def checkpoints(
    *,
    save: Path | None = None,
    interval: Count = 1,
    format: Literal["pt", "safetensors", "weights.h5"] = "pt",  # noqa: A002 - what users write
    keep: Keep | None = None,
    load: Path | None = None,
    resume: Path | None = None,
    state_interval: NonNegative = 60.0,
    shard_size: Count = 2_000_000_000,
) -> Checkpoints:
    """Saves the network during training, starts it from a saved one, and lets a training that ended early go on.

    Args:
        save: Folder for `model_checkpoint_<epoch>.<format>`; created if missing. Nothing is saved if absent.
        interval: Number of epochs from one checkpoint to the next; the last epoch is saved in any case.
        format: Kind of the files: of torch, of safetensors, or `weights.h5` for `load_weights` of Keras.
        keep: Which of them stay, such as `{"last": 3, "best": "test_accuracy"}`: the last so many, and the one of the
            best epoch by `train_loss`, `test_loss`, `test_accuracy` or a metric (`test_IoU`), which is called
            `model_checkpoint_best`. All stay if absent.
        load: Weights to start from: a checkpoint, a file of safetensors, of Keras (`.h5`, `.weights.h5`, `.keras`) or
            of libtorch; layers that it does not have keep their initial weights.
        resume: Goes on with an earlier training as if nothing had happened: `auto` with the newest state of the run
            folder, or else a folder of a state. `--resume` on the command line is `auto`.
        state_interval: Seconds after which the whole state of a training is saved anew in the run folder; also saved
            with each checkpoint, at the end, and when the run is told to leave.
        shard_size: Bytes of a state's weights and optimizer from which on the processes write it together, in files of
            that size, so that none of them needs memory for all of it.

    Raises:
        ConfigError: Files cannot be written to `save`.
    """
    folder = None
    if save is not None:
        folder = pathlib.Path(save)
        make_folder(save, key="checkpoints.save")
    return Checkpoints(folder, interval, load, format, keep or {}, resume, state_interval, shard_size)


def _read(path: str, network: nn.Module, key: str) -> None:
    kind = "HDF5 file" if weights.is_hdf5(path) else "file"
    log.info("Loading model checkpoint from %s: %s", kind, path)
    try:
        weights.load(path, network)
    except CheckpointError as error:
        raise CheckpointError([replace(one, path=key) for one in error.problems]) from None


@dataclass(frozen=True)
class Checkpoints:
    """Where and when to save a network, and what to load it from."""

    folder: pathlib.Path | None = None
    interval: int = 1
    load: str | None = None
    format: str = "pt"
    keep: Keep = field(default_factory=lambda: Keep())
    resume: str | None = None
    state_interval: float = 60.0
    shard_size: int = 2_000_000_000

    def load_into(self, network: nn.Module, layers: Any = None) -> bool:
        """Loads the checkpoint, else the weights that come with the network, if there are any; every process does.

        Args:
            network: What to load into.
            layers: What the network was made from: a file of a whole model holds weights as well.

        Returns:
            Whether there were some.

        Raises:
            CheckpointError: The file is missing, damaged, no checkpoint, or one of another network.
        """
        if self.load is not None:
            _read(self.load, network, "checkpoints.load")
            return True
        files = layers if isinstance(layers, Mapping) else {"": layers}  # those of a pair by their names
        found = {part: file for part, file in files.items() if isinstance(file, str) and weights.has_weights(file)}
        parts = getattr(network, "parts", {})
        for part, file in found.items():
            _read(file, parts[part] if part else network, f"layers.{part}" if part else "layers")
        return bool(found)

    def saver(self, network: nn.Module, num_epochs: int = 0, engine: Engine | None = None) -> Saver:
        """What saves the network at the ends of epochs; every process feeds it with steps, and the first one writes.

        Args:
            network: What to save.
            num_epochs: Epochs that the run will have, as far as known.
            engine: What computes; this process alone by default.

        Raises:
            ConfigError: There is no room for the checkpoints that stay, and for one that is being written.
        """
        if self.folder is not None and num_epochs and (engine is None or engine.rank == 0):
            files = min(-(-num_epochs // self.interval), self.keep.get("last", num_epochs)) + ("best" in self.keep) + 1
            size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
            own = f"model_checkpoint_*.{self.format}"
            require_room(self.folder, files * size, key="checkpoints.save", what="checkpoints of this run", own=own)
        return Saver(network, self.folder, self.interval, self.format, self.keep, engine)

    def due(self, step: EpochEnd) -> bool:
        """Whether the network is saved at the end of an epoch."""
        return self.folder is not None and (step.epoch % self.interval == 0 or step.last)


class Saver:
    """Consumes steps and writes checkpoints.

    Args:
        network: What to save.
        folder: Where to; None saves nothing.
        interval: Number of epochs from one checkpoint to the next.
        kind: Suffix of the files, which says what they are.
        keep: Which files stay.
        engine: What computes; this process alone by default.
    """

    def __init__(
        self,
        network: nn.Module,
        folder: pathlib.Path | None,
        interval: int,
        kind: str = "pt",
        keep: Keep | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._network = network
        self._engine = engine
        self._writes = engine is None or engine.rank == 0
        self._folder = folder
        self._interval = interval
        self._kind = kind
        self._keep = keep or Keep()
        self._scores = Scores()
        self._written: list[int] = []
        self._best = math.nan
        self._told = False
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""
        for leftover in folder.glob(".model_checkpoint_*") if folder is not None and self._writes else ():
            leftover.unlink(missing_ok=True)  # of a run that was killed while it wrote

    def consume(self, step: Step) -> None:
        """Writes a checkpoint if it is time for one.

        Raises:
            ConfigError: The run has no number by which to tell the best epoch.
            RmldnnError: It cannot be written.
        """
        self._scores.follow(step)
        if not isinstance(step, EpochEnd) or self._folder is None:
            return
        if step.epoch % self._interval == 0 or step.last:
            path = self._path(self._folder, step.epoch)
            self._write(path, step.epoch)
            self._written = [epoch for epoch in self._written if epoch != step.epoch] + [step.epoch]
            self.outputs = [("Model checkpoint", str(path)), *self.outputs[1:]]
            for epoch in self._written[: -self._keep["last"]] if "last" in self._keep else ():
                if self._writes:
                    self._path(self._folder, epoch).unlink(missing_ok=True)
                self._written.remove(epoch)
        if name := self._keep.get("best"):
            value = self._scores.value(name, "checkpoints.keep.best")
            if better(name, value, self._best):
                self._best = value
                path = self._path(self._folder, "best")
                self._write(path, step.epoch)
                self.outputs = [*self.outputs[:1], ("Best model checkpoint", str(path))]

    def close(self) -> None:
        """Has nothing to complete: each checkpoint is whole or absent."""

    def state_dict(self) -> dict[str, Any]:
        """What goes on with the training."""
        return {"written": self._written, "best": self._best, "monitor": self._keep.get("best")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with what an earlier run had written; the best value of another number is none."""
        self._written = state["written"]
        if (state.get("monitor") or "").lower() == self._keep.get("best", "").lower():
            self._best = state["best"]

    def _write(self, path: pathlib.Path, epoch: int) -> None:
        if self._writes and not self._told:
            self._tell_of_others(path.parent)
        found = self._engine.weights(self._network) if self._engine is not None else self._network.state_dict()
        whole = {name: here for name, value in found.items() if (here := collected(value, 0)) is not None}
        if self._writes:
            weights.write(path, self._network, epoch, whole)

    def _tell_of_others(self, folder: pathlib.Path) -> None:
        """Warns before files of an earlier run are replaced, or stay beside those of this one."""
        self._told = True
        others = [*folder.glob(f"model_checkpoint_*.{self._kind}")]
        if others and not self._written and math.isnan(self._best):
            log.warning(
                "checkpoints.save: `%s` has %s of an earlier run; those of the same name are replaced (another folder "
                "keeps them)",
                folder,
                "a checkpoint" if len(others) == 1 else f"{len(others)} checkpoints",
            )

    def _path(self, folder: pathlib.Path, epoch: int | str) -> pathlib.Path:
        return folder / f"model_checkpoint_{epoch}.{self._kind}"


def fingerprint(network: nn.Module) -> str:
    """A text that differs between networks of other weights or another structure."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
