"""A state that is too large for one process: its tensors in several files, each of which one process writes.

What is left of the state when its tensors are gone, lists and numbers, has tensors without memory in their places.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rmldnn.disk import Disk, sha256
from rmldnn.engine.interface import Engine
from rmldnn.engine.scattered import Place, collected, num_bytes, replaced, tensors

_SHARD = "shard_"


def gather(
    engine: Engine, folder: Path, parts: Mapping[str, Any], size: int
) -> tuple[dict[Place, Tensor], dict[str, Any], Exception | None]:
    """Brings the tensors of a state together one by one, each in one process, which writes them if they are many.

    Args:
        engine: Who this process is; all call this.
        folder: Where to write; it is there.
        parts: Trees of tensors by name, of the same form in all processes.
        size: Bytes up to which all tensors come to the first process, which holds them; those of a larger state are
            written to files of that size at most, except for a tensor that is larger by itself.

    Returns:
        What this process holds, by place in `parts`; the files that it wrote, with what the manifest says of them; and
        what went wrong with them, which keeps nobody waiting.
    """
    found = list(tensors(parts))
    sizes = [num_bytes(tensor) for _, tensor in found]
    many = sum(sizes) > size
    holders = deal(sizes, engine.world, size) if many else [(0, 0)] * len(found)
    left = Counter(shard for _, shard in holders)
    held: dict[Place, Tensor] = {}
    files: dict[str, Any] = {}
    fault: Exception | None = None
    for (place, tensor), (process, shard) in zip(found, holders, strict=True):
        whole = collected(tensor, process)
        left[shard] -= 1
        if process != engine.rank or whole is None or fault is not None:
            continue
        held[place] = _compact(whole) if many else whole
        if many and not left[shard]:
            name = f"{_SHARD}{shard}.pt"
            try:
                folder.mkdir(parents=True, exist_ok=True)  # it is there, unless each machine has one of its own
                files[name] = write(folder / name, held)
            except (OSError, RuntimeError) as error:
                fault = error
            held = {}
    return held, files, fault


def deal(sizes: Iterable[int], world: int, limit: int) -> list[tuple[int, int]]:
    """Which process holds each tensor, and in which shard: the one that has the least so far.

    Args:
        sizes: Of the tensors, in bytes.
        world: Number of processes; so many of them take part as there are full shards, and not all on one machine.
        limit: Bytes of a shard; larger only for a tensor that is so by itself.
    """
    sizes = list(sizes)
    writers = min(world, -(-sum(sizes) // limit))
    total, filled = [0] * writers, [limit + 1] * writers  # as if each had a full shard behind it
    shards, opened, dealt = [0] * writers, 0, []
    for size in sizes:
        writer = min(range(writers), key=total.__getitem__)
        total[writer] += size
        filled[writer] += size
        if filled[writer] > limit:
            shards[writer], filled[writer] = opened, size
            opened += 1
        dealt.append((writer * world // writers, shards[writer]))
    return dealt


def write(path: Path, content: Any) -> dict[str, Any]:
    """Writes a file of a state to the disk; what the manifest says of it.

    Raises:
        OSError: The disk is full, or something else is wrong with it.
    """
    with Disk(path, "w") as file:
        torch.save(content, file)
        file.check()
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def without(parts: Mapping[str, Any], held: Mapping[Place, Tensor]) -> dict[str, Any]:
    """Parts of a state with the tensors that this process holds, and without memory for all others."""

    def here(place: Place, tensor: Any) -> Tensor:
        found = held.get(place)
        return found if found is not None else torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")

    return {name: replaced(part, here, (name,)) for name, part in parts.items()}


def read(folder: Path, names: Sequence[str], part: str) -> Any:
    """A part of a state; what was in shards stays on the disk, and of it only that is read which is looked at.

    Args:
        folder: Of the state.
        names: Of its files.
        part: Name of the part.
    """
    tree = torch.load(folder / f"{part}.pt", map_location="cpu", weights_only=True)
    if all(isinstance(tensor, Tensor) and not tensor.is_meta for _, tensor in tensors(tree)):
        return tree
    stored: dict[Place, Tensor] = {}
    for name in names:
        if name.startswith(_SHARD):
            stored |= torch.load(folder / name, map_location="cpu", mmap=True, weights_only=True)
    return replaced(tree, lambda place, _: stored[place], (part,))


def _compact(tensor: Tensor) -> Tensor:
    """A tensor alone, as a file gets all of the memory that a tensor has a part of."""
    return tensor if tensor.untyped_storage().nbytes() == num_bytes(tensor) else tensor.clone()
