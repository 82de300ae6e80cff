"""Modules that C++ programs save with libtorch (`torch::save`, the original rmldnn), or Python as TorchScript.

Such a file holds code, the tree of modules as a pickle, and the numbers. Only the latter two are read, and of the
pickle only modules, tensors and lists are understood; the code stays text.
"""

from __future__ import annotations

import collections
import math
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights.stored import Stored
from rmldnn.networks.weights.torch_archive import NUMBERS

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def matches(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is such a file: those of `torch.save` hold no code."""
    return any(member.split("/")[1:2] == ["code"] for member in archive.namelist())


def read(file: Path) -> dict[str, Stored]:
    """The parameters and buffers of a file by name, `<layer>.<parameter>`; they stay in it until they are wanted.

    Raises:
        CheckpointError: There are none.
        Exception: The file is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        pickled = next(member for member in archive.namelist() if member.split("/")[1:] == ["data.pkl"])
        root = pickled.split("/")[0]
        orders = [archive.read(member) for member in archive.namelist() if member == f"{root}/byteorder"]
        if orders not in ([], [b"little"]):
            raise CheckpointError("was written on a machine of another byte order; save it again on this one")
        with archive.open(pickled) as stream:
            module = _Reader(stream).load()
    tensors = {
        ".".join(path): Stored(tensor.shape, partial(tensor.read, file, root)) for path, tensor in _tensors(module, ())
    }
    if not tensors:
        raise CheckpointError("is a libtorch file, but holds no network's weights")
    return tensors


class _Storage(NamedTuple):
    """Numbers one after the other: a member of the archive."""

    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _Tensor:
    """A tensor whose numbers are still in the file."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, file: Path, root: str) -> Tensor:
        with zipfile.ZipFile(file) as archive:
            numbers = bytearray(archive.read(f"{root}/data/{self.storage.key}"))
        if not math.prod(self.shape):
            return torch.empty(self.shape, dtype=self.storage.dtype)
        return torch.frombuffer(numbers, dtype=self.storage.dtype).as_strided(self.shape, self.strides, self.offset)


class _Module:
    """A module of any class: what it holds, by name."""

    def __init__(self, *_: Any) -> None:
        self.content: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.content = state if isinstance(state, dict) else {}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    """Stands for the function of torch that makes tensors."""
    numbers = [offset, *shape, *strides]
    plain = isinstance(storage, _Storage) and all(type(number) is int and number >= 0 for number in numbers)
    return _Tensor(storage, offset, tuple(shape), tuple(strides)) if plain else None


def _list(values: Any = (), *_: Any) -> list[Any]:
    """Stands for the functions of torch that make typed lists."""
    return list(values)


class _Reader(pickle.Unpickler):
    """Understands names of the classes above only, whatever a pickle asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a class or function of the file's."""
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _tensor
        if module == "torch.jit._pickle":
            return _list
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> Any:
        """The storage that a pickle refers to."""
        kind, dtype, key, *_ = pid
        return _Storage(key, dtype) if kind == "storage" and dtype in NUMBERS and isinstance(key, str) else None


def _tensors(module: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Tensor]]:
    for key, value in module.content.items() if isinstance(module, _Module) else ():
        if isinstance(value, _Tensor) and isinstance(key, str):
            yield (*path, key), value
        elif isinstance(value, _Module) and isinstance(key, str):
            yield from _tensors(value, (*path, key))
