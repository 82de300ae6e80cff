"""HDF5 files from strangers: nothing outside of the file is opened, and nothing is read before its size is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights.stored import Stored

_LONGEST = 1 << 26
"""Bytes of an attribute; lists of names are far shorter."""


def child(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """What a group holds at a path of names with `/` between them; None if there is no such thing.

    Raises:
        CheckpointError: It is a link to elsewhere.
    """
    item: Any = group
    for part in filter(None, path.split("/")):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise CheckpointError(f"holds a link to elsewhere, `{path}`; copy what it stands for into the file")
        item = item[part]
    return item


def subgroup(group: h5py.Group, path: str) -> h5py.Group | None:
    """The group at a path; None if there is none."""
    item = child(group, path)
    return item if isinstance(item, h5py.Group) else None


def subgroups(group: h5py.Group, seen: set[int]) -> Iterator[tuple[str, h5py.Group]]:
    """The groups in a group but for those seen before, so that a walk ends whatever links there are."""
    seen.add(_address(group))
    for name in group:
        item = subgroup(group, name)
        if item is not None and _address(item) not in seen:
            seen.add(_address(item))
            yield name, item


def _address(group: h5py.Group) -> int:
    return int(h5py.h5o.get_info(group.id).addr)


def stored(dataset: h5py.Dataset) -> Stored:
    """A dataset of numbers, yet to be read.

    Raises:
        CheckpointError: Its numbers lie in other files, or are none.
    """
    if dataset.is_virtual or dataset.external:
        raise CheckpointError(f"has the numbers of `{dataset.name}` in other files; copy them into this one")
    if dataset.shape is None or not (dataset.dtype.kind in "fiub" or _is_bfloat16(dataset)):
        raise CheckpointError(f"has no real numbers in `{dataset.name}`, but {dataset.dtype}")
    return Stored(tuple(dataset.shape), lambda: _read(dataset))


def _read(dataset: h5py.Dataset) -> Tensor:
    if _is_bfloat16(dataset):
        return torch.from_numpy(np.ascontiguousarray(dataset[()]).view(np.int16)).view(torch.bfloat16)
    array = np.asarray(dataset[()])  # a scalar comes as a number
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def _is_bfloat16(dataset: h5py.Dataset) -> bool:
    """Keras 3 writes it as a type that only its own library knows, and says so beside it."""
    return dataset.dtype.itemsize == 2 and dataset.dtype.kind == "V" and text(dataset, "dtype") == "bfloat16"


def text(item: h5py.HLObject, attribute: str) -> str | None:
    """A text beside a group or dataset; None if there is none."""
    found = _attribute(item, attribute)
    return found[0] if found is not None and len(found) == 1 else None


def texts(item: h5py.HLObject, attribute: str) -> list[str] | None:
    """A list of texts beside a group; a long one may be there in pieces `<name>0`, `<name>1`, ..."""
    whole = _attribute(item, attribute)
    if whole is not None or f"{attribute}0" not in item.attrs:
        return whole
    pieces: list[str] = []
    for number in itertools.count():
        piece = _attribute(item, f"{attribute}{number}")
        if piece is None:
            break
        pieces += piece
    return pieces


def _attribute(item: h5py.HLObject, name: str) -> list[str] | None:
    if name not in item.attrs:
        return None
    kind = item.attrs.get_id(name)
    if math.prod(kind.shape) * max(kind.dtype.itemsize, 1) > _LONGEST:
        raise CheckpointError(f"has an attribute `{name}` that is too large to be a list of names")
    values = np.ravel(np.asarray(item.attrs[name], dtype=object))
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values]
