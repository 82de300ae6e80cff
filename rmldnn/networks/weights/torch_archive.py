"""Files of `torch.save`: checkpoints of this program, and plain state_dicts.

A checkpoint holds `{"model": {"<layer>.<parameter>": tensor, ...}, "epoch": int, "format": 1, "rmldnn": version}`, all
tensors on the CPU.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights.stored import Stored

FORMAT = 1
_OBJECTS = (
    "is damaged, or holds Python objects besides tensors, which are not read, as they could run a stranger's code; "
    "save the weights alone, by `torch.save(model.state_dict(), ...)`"
)
_NOTHING = (
    "is no checkpoint, or damaged; weights are read from files of torch (.pt), safetensors, Keras (.h5, .weights.h5, "
    ".keras) and libtorch"
)
NUMBERS = {  # what a network's weights are made of: nothing complex, nothing quantised
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
}


def read(file: Path) -> dict[str, Stored]:
    """The tensors of a file by name; they stay in the file until they are wanted.

    Raises:
        CheckpointError: It holds something else, or a later form of checkpoint.
        Exception: It is damaged.
    """
    archive = zipfile.is_zipfile(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is refused below
            content: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError:  # whose words advise to run whatever the file holds
        raise CheckpointError(_OBJECTS if archive else _NOTHING) from None
    whole = content if isinstance(content, dict) else {}
    model = whole.get("model", whole)
    version = whole.get("format", FORMAT) if model is not whole else FORMAT
    if not whole or not isinstance(model, dict) or not all(map(_is_weight, model.items())) or type(version) is not int:
        raise CheckpointError("is a torch file, but holds no network's weights")
    if version != FORMAT:
        author = whole.get("rmldnn")
        raise CheckpointError(
            f"has checkpoint format {version}, and this version of rmldnn reads {FORMAT}; "
            f"it was written by rmldnn {author if isinstance(author, str) else '(unknown)'}"
        )
    return {name: Stored(tuple(tensor.shape), tensor.detach) for name, tensor in model.items()}


def _is_weight(item: tuple[Any, Any]) -> bool:
    """Whether it is a name and a tensor of plain numbers, which can be copied into a network."""
    name, value = item
    if not isinstance(name, str) or not isinstance(value, Tensor) or value.dtype not in NUMBERS:
        return False
    return value.layout is torch.strided and value.device.type == "cpu" and not value.is_nested
