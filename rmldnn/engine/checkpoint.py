"""Checkpoints: the weights of a network in a file, by layer name.

A checkpoint is a torch archive of `{"model": {"<layer>.<parameter>": tensor, ...}, "epoch": int, "format": 1,
"rmldnn": version}`, with all tensors on the CPU. Reading one runs no code (`weights_only`), whoever wrote it.
"""

from __future__ import annotations

import logging
import os
import pathlib
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import rmldnn
from rmldnn.component import component
from rmldnn.errors import CheckpointError, ConfigError, Problem, RmldnnError
from rmldnn.steps import EpochEnd, Step
from rmldnn.types import Count, Path

FORMAT = 1
_NUMBERS = {  # what a network's weights are made of: nothing complex, nothing quantised
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
}

log = logging.getLogger("rmldnn")


@component("checkpoints")
def checkpoints(*, save: Path | None = None, interval: Count = 1, load: Path | None = None) -> Checkpoints:
    """Saves the network during training, and starts it from a saved one.

    Args:
        save: Folder for `model_checkpoint_<epoch>.pt`; created if missing. Nothing is saved if absent.
        interval: Number of epochs from one checkpoint to the next; the last epoch is saved in any case.
        load: Checkpoint to start from; layers that it does not have keep their initial weights.

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
    return Checkpoints(folder, interval, load)


@dataclass(frozen=True)
class Checkpoints:
    """Where and when to save a network, and what to load it from."""

    folder: pathlib.Path | None = None
    interval: int = 1
    load: str | None = None

    def load_into(self, network: nn.Module) -> None:
        """Loads the checkpoint, if one is to be loaded; every process does.

        Raises:
            CheckpointError: The file is missing, damaged, no checkpoint, or one of another network.
        """
        if self.load is not None:
            log.info("Loading model checkpoint from file: %s", self.load)
            transfer(read(self.load), network, self.load)

    def saver(self, network: nn.Module) -> Saver:
        """What saves the network at the ends of epochs; only rank 0 is to feed it with steps."""
        return Saver(network, self.folder, self.interval)


class Saver:
    """Consumes steps and writes checkpoints.

    Args:
        network: What to save.
        folder: Where to; None saves nothing.
        interval: Number of epochs from one checkpoint to the next.
    """

    def __init__(self, network: nn.Module, folder: pathlib.Path | None, interval: int) -> None:
        self._network = network
        self._folder = folder
        self._interval = interval
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
            path = self._folder / f"model_checkpoint_{step.epoch}.pt"
            write(path, self._network, step.epoch)
            self.outputs = [("Model checkpoint", str(path))]

    def close(self) -> None:
        """Has nothing to complete: each checkpoint is whole or absent."""


def write(path: pathlib.Path, network: nn.Module, epoch: int) -> None:
    """Writes a checkpoint so that the file is there entirely or not at all.

    Raises:
        RmldnnError: The file cannot be written; an older one of that name is as it was.
    """
    model = {name: tensor.detach().to("cpu", copy=False) for name, tensor in network.state_dict().items()}
    content = {"model": model, "epoch": epoch, "format": FORMAT, "rmldnn": rmldnn.__version__}
    partial: pathlib.Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        partial = pathlib.Path(name)
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o666 & ~_umask())  # mkstemp makes files for the owner's eyes only
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise RmldnnError(f"cannot write checkpoint `{path}`: {_reason(error)}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def read(path: str | pathlib.Path) -> Mapping[str, Tensor]:
    """Reads the weights of a checkpoint of this program, or a plain torch `state_dict`, onto the CPU.

    Args:
        path: The file; messages call it as it is given here.

    Raises:
        CheckpointError: The file is missing, damaged, or no checkpoint.
    """
    content: Any
    try:
        file = pathlib.Path(path)
        if not file.is_file():
            raise _wrong(f"there is no checkpoint file `{path}`" + (" (it is a folder)" if file.is_dir() else ""))
        _refuse_other_kinds(file, str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is refused below
            content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file fails wherever in zipfile, pickle and torch its fault shows
        raise _wrong(f"`{path}` is damaged, or no checkpoint: {_reason(error)}") from None
    whole = content if isinstance(content, dict) else {}
    model = whole.get("model", whole)
    version = whole.get("format", FORMAT) if model is not whole else FORMAT
    if not isinstance(model, dict) or not model or not all(map(_is_weight, model.items())) or type(version) is not int:
        raise _wrong(f"`{path}` is a torch file, but holds no network's weights")
    if version != FORMAT:
        author = whole.get("rmldnn")
        raise _wrong(
            f"`{path}` has checkpoint format {version}, and this version of rmldnn reads {FORMAT}; "
            f"it was written by rmldnn {author if isinstance(author, str) else '(unknown)'}"
        )
    return model


def transfer(model: Mapping[str, Tensor], network: nn.Module, path: str | pathlib.Path) -> None:
    """Copies weights into the layers of the same name; logs what the checkpoint does not have.

    Args:
        model: Weights by name, `<layer>.<parameter>`.
        network: What to copy into; what is not found keeps its value.
        path: File name for messages.

    Raises:
        CheckpointError: A layer has another shape, or no layer is found at all. Nothing was copied.
    """
    mine = network.state_dict()
    found = {name: tensor for name, tensor in mine.items() if name in model}
    if not found and mine:
        raise _wrong(
            f"`{path}` belongs to another network: it has the layers {_some({_layer(name) for name in model})}, "
            f"but this network has {_some({_layer(name) for name in mine})}"
        )
    wrong = [
        f"   {name}: {list(model[name].shape)} in the checkpoint, {list(tensor.shape)} in the network"
        for name, tensor in found.items()
        if model[name].shape != tensor.shape
    ]
    if wrong:
        raise _wrong(
            f"`{path}` has other shapes than the network:\n" + "\n".join(wrong) + "\n"
            "   Rename a layer in the network to train it anew, or load a checkpoint of this network"
        )
    _log_missing(model, mine)
    with torch.no_grad():
        for name, tensor in found.items():
            tensor.copy_(model[name])


def _log_missing(model: Mapping[str, Tensor], mine: Mapping[str, Tensor]) -> None:
    layers = {_layer(name) for name in model}
    skipped: set[str] = set()
    for name in mine:
        if name in model or name.endswith(".num_batches_tracked"):
            continue
        layer = _layer(name)
        if layer not in layers and layer not in skipped:
            skipped.add(layer)
            log.info("   Skipping layer %s: not found in model", layer)
        log.info("   Skipping parameter %s: not found in model", name)


def _refuse_other_kinds(file: pathlib.Path, name: str) -> None:
    with file.open("rb") as stream:
        start = stream.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        raise _wrong(f"`{name}` is a Keras HDF5 file; this version reads .pt checkpoints of rmldnn only")
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(member.split("/")[1:2] == ["code"] for member in archive.namelist()):
                raise _wrong(f"`{name}` is a libtorch (C++) archive; this version reads .pt checkpoints of rmldnn only")


def _is_weight(item: tuple[Any, Any]) -> bool:
    """Whether it is a name and a tensor of plain numbers, which can be copied into a network."""
    name, value = item
    if not isinstance(name, str) or not isinstance(value, Tensor) or value.dtype not in _NUMBERS:
        return False
    return value.layout is torch.strided and value.device.type == "cpu" and not value.is_nested


def _layer(name: str) -> str:
    return name.partition(".")[0]


def _some(layers: set[str], limit: int = 5) -> str:
    names = sorted(layers)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def _wrong(message: str) -> CheckpointError:
    printable = message.encode(errors="backslashreplace").decode()  # names may come from a damaged file
    return CheckpointError(Problem("checkpoints.load", printable))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
