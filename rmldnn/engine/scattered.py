"""Tensors of which every process has a part, as all of them together may be too large for one; and trees of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Place = tuple[Any, ...]
"""The keys and indices that lead to a tensor in a tree of dictionaries, lists and tuples."""


@dataclass(frozen=True)
class Scattered:
    """A tensor of which every process has a part.

    Args:
        shape: Of the whole.
        dtype: Of the whole.
        collect: Brings it together in the process of a rank, on the CPU, and gives None in the others; all call it.
    """

    shape: torch.Size
    dtype: torch.dtype
    collect: Callable[[int], Tensor | None]


def collected(value: Tensor | Scattered, rank: int) -> Tensor | None:
    """A tensor, whole in one process at least; all call it.

    Args:
        value: The tensor: the same in all processes, or scattered over them.
        rank: The process.
    """
    return value.collect(rank) if isinstance(value, Scattered) else value


def num_bytes(value: Tensor | Scattered) -> int:
    """What the whole takes."""
    return value.shape.numel() * value.dtype.itemsize


def tensors(tree: Any, place: Place = ()) -> Iterator[tuple[Place, Tensor | Scattered]]:
    """The tensors of a tree, and where they are."""
    if isinstance(tree, (Tensor, Scattered)):
        yield place, tree
    elif isinstance(tree, (dict, list, tuple)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from tensors(value, (*place, key))


def replaced(tree: Any, new: Callable[[Place, Any], Any], place: Place = ()) -> Any:
    """The same tree with other tensors.

    Args:
        tree: The tree; it stays as it is.
        new: From where a tensor is, and the tensor, to the one that takes its place.
        place: Where the tree is in a larger one.
    """
    if isinstance(tree, (Tensor, Scattered)):
        return new(place, tree)
    if isinstance(tree, dict):
        result = copy(tree)  # with what a network's `state_dict` knows besides
        result.update({key: replaced(value, new, (*place, key)) for key, value in tree.items()})
        return result
    if isinstance(tree, (list, tuple)):
        return type(tree)(replaced(value, new, (*place, number)) for number, value in enumerate(tree))
    return tree
