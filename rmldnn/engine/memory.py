"""How much memory is free, and whether there was too little."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container says how much memory it may have."""

_SIGNS_OF_NEED = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator: can't allocate memory")
"""What torch, and libraries that it calls, say where they get no memory."""


def is_exhausted(error: BaseException | None) -> bool:
    """Whether an error says that there was too little memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS_OF_NEED)


def free_bytes(device: torch.device) -> int:
    """Free memory of a GPU, or of the machine as far as this process may use it."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = 1024 * int(line.split()[1])
    limits = [int(text) for path in _LIMITS for text in _lines(path) if text.strip().isdigit()]
    return min([free, *limits])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
