"""Cores of this machine: which there are, and which of them fall to each of several processes.

A process computes fastest on cores that share their memory. So the processes of a machine get whole NUMA nodes (as a
rule the sockets) where the numbers allow it, else neighbouring cores, the two halves of a core always together.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path

SYSTEM = Path("/sys")
"""Where Linux tells about itself."""


def usable() -> set[int]:
    """Cores on which this process may run."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def quota(system: Path = SYSTEM) -> float | None:
    """Cores' worth of time that a container may use altogether; None if that is not limited."""
    groups = system / "fs" / "cgroup"
    for files in ((groups / "cpu.max",), (groups / "cpu/cpu.cfs_quota_us", groups / "cpu/cpu.cfs_period_us")):
        try:
            allowed, period = " ".join(file.read_text() for file in files).split()
            return int(allowed) / int(period) if int(allowed) > 0 else None
        except (OSError, ValueError):  # the other version of control groups, or `max`
            continue
    return None


def worth() -> int:
    """Cores that this process may fill if it is alone."""
    return max(1, int(min(len(usable()), quota() or float("inf"))))


def nodes(cores: Collection[int], system: Path = SYSTEM) -> list[list[int]]:
    """Some cores by NUMA node, in each the halves of a core side by side; one node if the machine tells of none."""
    where: dict[int, int] = {}
    for folder in (system / "devices" / "system" / "node").glob("node[0-9]*"):
        try:
            where.update(dict.fromkeys(_listed((folder / "cpulist").read_text()), int(folder.name[4:])))
        except (OSError, ValueError):
            continue
    ordered = sorted(cores, key=lambda core: (where.get(core, -1), _whole(core, system), core))
    return [list(group) for _, group in groupby(ordered, lambda core: where.get(core, -1))]


def halves(cores: Collection[int], system: Path = SYSTEM) -> int:
    """How many whole cores some logical ones are: the number of threads that pays."""
    return len({_whole(core, system) for core in cores})


def shares(cores: Collection[int], count: int, system: Path = SYSTEM) -> list[list[int]]:
    """Parts out of the cores of a machine, one for each of some processes.

    Args:
        cores: What is shared out, at least `count`.
        count: Number of processes.
        system: Where Linux tells about itself.
    """
    places = nodes(cores, system)
    if len(places) % count == 0:  # whole nodes
        every = len(places) // count
        return [_joined(places[at : at + every]) for at in range(0, len(places), every)]
    if count % len(places) == 0 and min(map(len, places)) >= count // len(places):  # none across two nodes
        return [part for place in places for part in _cut(place, count // len(places), system)]
    return _cut(_joined(places), count, system)


def described(cores: Collection[int]) -> str:
    """Cores in words: `cores 0-15 and 32-47`."""
    numbers = sorted(cores)
    runs = [[core for _, core in run] for _, run in groupby(enumerate(numbers), lambda place: place[1] - place[0])]
    parts = [part for run in runs for part in (map(str, run) if len(run) < 3 else [f"{run[0]}-{run[-1]}"])]
    words = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    return f"core{'s' if len(numbers) > 1 else ''} {words}"


def _cut(cores: Sequence[int], count: int, system: Path) -> list[list[int]]:
    """Consecutive parts of nearly equal size, of whole cores if there are enough."""
    wholes = [list(group) for _, group in groupby(cores, lambda core: _whole(core, system))]
    pieces = wholes if len(wholes) >= count else [[core] for core in cores]
    bounds = [len(pieces) * part // count for part in range(count + 1)]
    return [_joined(pieces[low:high]) for low, high in pairwise(bounds)]


def _joined(parts: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(parts))


def _whole(core: int, system: Path) -> tuple[int, int]:
    """The core of silicon that a logical core is a half of."""
    topology = system / "devices" / "system" / "cpu" / f"cpu{core}" / "topology"
    try:
        return int((topology / "physical_package_id").read_text()), int((topology / "core_id").read_text())
    except (OSError, ValueError):
        return -1, core


def _listed(text: str) -> list[int]:
    """`0-3,8` as numbers."""
    numbers: list[int] = []
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        numbers += range(int(low), int(high or low) + 1)
    return numbers
