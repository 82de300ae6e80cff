"""What the processes of a run have to compute with: devices, cores and threads, shared out among neighbours."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rmldnn.engine import cores
from rmldnn.errors import LaunchError

_LISTED = 8
"""Processes whose cores are told one by one."""


@dataclass(frozen=True)
class Presence:
    """What a process tells the others about itself.

    Args:
        device: Where it computes.
        host: Its machine.
        cores: Where it may run.
        gpu: What tells its GPU from others, whatever its number; None on a CPU.
    """

    device: str
    host: str
    cores: frozenset[int]
    gpu: str | None

    @classmethod
    def of(cls, device: torch.device) -> Presence:
        """This process."""
        gpu = str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else None
        return cls(str(device).upper(), socket.gethostname(), frozenset(cores.usable()), gpu)


@dataclass(frozen=True)
class Placement:
    """What a process computes with.

    Args:
        devices: Devices of the whole run, each once.
        neighbours: Number of processes on this machine.
        cores: Number of its cores that fall to this process.
        threads: Number of threads that it should compute with on a CPU.
        bound: Cores that it is to keep to; None if it stays where it is.
        words: All that for the log.
    """

    devices: Sequence[str]
    neighbours: int
    cores: int
    threads: int
    bound: frozenset[int] | None
    words: str

    def take(self) -> None:
        """Keeps this process, and what it starts from now on, to its cores."""
        if self.bound is not None:
            os.sched_setaffinity(0, self.bound)


def placement(
    rank: int,
    everyone: Sequence[Presence],
    threads: int | None,
    quota: float | None = None,
    system: Path = cores.SYSTEM,
) -> Placement:
    """Shares out the machine that a process is on.

    Processes on CPUs are bound to parts of it, unless the launcher has bound them, the user wants more threads than a
    part has cores, or the machine is shared with others who count on the same cores.

    Args:
        rank: Number of the process.
        everyone: All processes, by number.
        threads: How many threads the user wants in each; None if that was left to us.
        quota: Cores' worth of time that all processes of this machine may use.
        system: Where Linux tells about the machine.

    Raises:
        LaunchError: Several processes have the same GPU.
    """
    _require_own_gpus(everyone)
    me = everyone[rank]
    neighbours = [other for other in everyone if other.host == me.host]
    masks = [other.cores for other in neighbours]
    place = sum(other.host == me.host for other in everyone[:rank])
    parts: list[frozenset[int]] | None = None
    if me.gpu is None and len(masks) > 1 and len(set(masks)) == 1 and len(me.cores) >= len(masks):
        parts = [frozenset(part) for part in cores.shares(me.cores, len(masks), system)]
        if (threads or 0) > min(map(len, parts)) or (quota is not None and quota < len(me.cores)):
            parts = None
    share = len(parts[place]) if parts else sum(1 / sum(core in mask for mask in masks) for core in me.cores)
    if quota is not None:
        share = min(share, quota / len(masks))
    mine = max(1, int(share + 1e-6))
    count = threads or min(mine, cores.halves(parts[place] if parts else me.cores, system))
    hosts = len({other.host for other in everyone})
    words = f"{len(everyone)}" + (f" on {hosts} machines" if hosts > 1 else "")
    words += f", {count} thread{'s' if count > 1 else ''} each, {_where(parts or masks)}" if me.gpu is None else ""
    devices = sorted({other.device for other in everyone})
    return Placement(devices, len(masks), mine, count, parts[place] if parts else None, words)


def _where(parts: Sequence[frozenset[int]]) -> str:
    whole = frozenset().union(*parts)
    if sum(map(len, parts)) > len(whole):
        return "sharing " + cores.described(whole)
    if all(len(part) == 1 for part in parts):
        return "on " + cores.described(whole)
    if len(parts) > _LISTED:
        return f"on {min(map(len, parts))} cores each"
    return "on " + "; ".join(map(cores.described, parts))


def _require_own_gpus(everyone: Sequence[Presence]) -> None:
    gpus = [(other.host, other.gpu) for other in everyone if other.gpu is not None]
    for host, gpu in gpus:
        if gpus.count((host, gpu)) > 1:
            raise LaunchError(
                f"several of the {len(everyone)} processes have the same GPU on {host}; start one process for each "
                "GPU, or set CUDA_VISIBLE_DEVICES to nothing to compute on the CPU"
            )
