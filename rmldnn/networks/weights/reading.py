"""Weight files of any kind, told apart by what is in them."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from torch import nn

from rmldnn.errors import CheckpointError
from rmldnn.networks.files import HDF5, member
from rmldnn.networks.network import Network
from rmldnn.networks.weights.stored import Stored, Weights, layer_of, places

_DAMAGE = (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What libraries raise where the numbers of a file cannot be read."""

_SHOWN = 4
"""Files that a message names where one is missing."""


def is_hdf5(path: str | Path) -> bool:
    """Whether a file is there and is HDF5."""
    return _start(Path(path)).startswith(HDF5)


def has_weights(path: str | Path) -> bool:
    """Whether a file from Keras that describes a network holds weights besides: `.keras` or `.h5`."""
    return _start(Path(path)).startswith((HDF5, b"PK"))


def _start(file: Path) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as stream:
        return stream.read(9)


@contextmanager
def opened(path: str | Path, network: nn.Module) -> Iterator[Weights]:
    """What a file has for a network, for as long as the file is open.

    Args:
        path: The file; messages call it as it is given here.
        network: What the weights are for.

    Raises:
        CheckpointError: The file is missing, damaged, or holds no weights.
    """
    file = Path(path)
    with ExitStack() as stack:
        try:
            if not file.is_file():
                kind = " (it is a folder)" if file.is_dir() else ""
                raise CheckpointError(printable(f"there is no checkpoint file `{path}`{kind or _others(file)}"))
            weights = _weights(file, network, stack)
        except CheckpointError as error:
            message = str(error)
            raise error if f"`{path}`" in message else CheckpointError(printable(f"`{path}` {message}")) from None
        except Exception as error:  # a damaged file fails wherever in zipfile, pickle, h5py and torch its fault shows
            raise _damaged(path, error) from None
        try:
            yield weights
        except _DAMAGE as error:
            raise _damaged(path, error) from None


def printable(message: str) -> str:
    """A message in which names from a damaged file may occur."""
    return message.encode(errors="backslashreplace").decode()


def _others(missing: Path) -> str:
    """Which files of the kind lie where one is missing, the newest first; empty if there are none."""
    files = (file for file in missing.parent.glob(f"*{missing.suffix}") if file.is_file() and file.name[0] != ".")
    there = [file.name for file in sorted(files, key=lambda file: (file.stat().st_mtime, file.name), reverse=True)]
    if not there:
        return ""
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return f"; there {'is' if len(there) == 1 else 'are'} {', '.join(there[:_SHOWN])}{more}"


def _damaged(path: str | Path, error: Exception) -> CheckpointError:
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return CheckpointError(printable(f"`{path}` is damaged, or no checkpoint: {reason}"))


def _weights(file: Path, network: nn.Module, stack: ExitStack) -> Weights:
    start = _start(file)
    if start.startswith(HDF5):
        return _from_hdf5(file, network, stack, None)
    if zipfile.is_zipfile(file):
        archive = stack.enter_context(zipfile.ZipFile(file))
        if "config.json" in archive.namelist():
            return _from_keras(file, archive, network, stack)
        from rmldnn.networks.weights import libtorch_archive

        if libtorch_archive.matches(archive):
            return _from_torch(libtorch_archive.read(file), network)
    from rmldnn.networks.weights import safetensors, torch_archive

    if safetensors.matches(start, file.stat().st_size):
        return _from_torch(safetensors.read(file), network)
    return _from_torch(torch_archive.read(file), network)


def _from_torch(tensors: Mapping[str, Stored], network: nn.Module) -> Weights:
    layers = {place.layer for place in places(network, keras=False).values()}
    return Weights(frozenset(layer_of(name, layers) for name in tensors), tensors)


def _from_keras(file: Path, archive: zipfile.ZipFile, network: nn.Module, stack: ExitStack) -> Weights:
    from rmldnn.networks.weights import archived

    description = json.loads(member(archive, "config.json"))
    if archived.MEMBER not in archive.namelist():
        raise CheckpointError(
            f"is a `.keras` archive without `{archived.MEMBER}`; save the model again, or its weights as `.weights.h5`"
        )
    return _from_hdf5(archived.member(file, archive, stack), network, stack, description)


def _from_hdf5(source: Path | IO[bytes], network: nn.Module, stack: ExitStack, description: Any) -> Weights:
    import h5py

    from rmldnn.networks.weights import hdf5_legacy, hdf5_numbered

    if not isinstance(network, Network):
        raise CheckpointError("is a file of Keras, whose weights only a network of Keras layers can take")
    file = stack.enter_context(h5py.File(source, "r"))
    if (group := hdf5_legacy.root(file)) is not None:
        return hdf5_legacy.read(group, network)
    if hdf5_numbered.container(file) is not None:
        return hdf5_numbered.read(file, network, description)
    raise CheckpointError("is an HDF5 file, but holds no weights as Keras writes them")
