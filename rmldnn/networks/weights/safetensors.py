"""Files of `safetensors`: names and tensors, and nothing that could run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights.stored import Stored

_NUMBERS = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}


def matches(start: bytes, size: int) -> bool:
    """Whether a file is one: it starts with the length of its list of tensors, then comes the list, a JSON object.

    Args:
        start: Its first 9 bytes.
        size: Bytes in all.
    """
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def read(file: Path) -> dict[str, Stored]:
    """The tensors of a file by name; they stay in the file until they are wanted.

    Raises:
        CheckpointError: It holds complex numbers or the like.
        Exception: It is damaged.
    """
    archive: Any = safe_open(file, framework="pt")
    slices = {name: archive.get_slice(name) for name in archive.keys()}  # noqa: SIM118 - no dict
    if any(one.get_dtype() not in _NUMBERS for one in slices.values()):
        raise CheckpointError("is a safetensors file, but holds no network's weights")
    return {name: Stored(tuple(one.get_shape()), partial(archive.get_tensor, name)) for name, one in slices.items()}
