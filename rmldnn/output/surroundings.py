"""On which machine and with which software a run is made; imports nothing heavy, and waits for nothing long."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import rmldnn

_PATIENCE = 2.0
"""Seconds that git may take; in a large repository on a slow disk it can take minutes."""
_GIT = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks")


def software() -> dict[str, Any]:
    """Versions of rmldnn, Python, torch and CUDA, and of all packages that can be imported."""
    found = packages()
    torch = sys.modules.get("torch")  # not worth its import
    return {
        "rmldnn": rmldnn.__version__,
        "python": platform.python_version(),
        "torch": found.get("torch"),
        "cuda": torch.version.cuda if torch else None,
        "packages": found,
    }


def packages() -> dict[str, str]:
    """Versions of all packages by name, as the names of their folders say, which takes no reading."""
    found: dict[str, str] = {}
    for place in sys.path:
        with suppress(OSError):  # an archive, a folder that is not there, one of somebody else's
            for entry in Path(place).iterdir():
                if entry.suffix == ".dist-info":
                    name, _, version = entry.stem.partition("-")
                    found.setdefault(name.replace("_", "-").lower(), version)
    return dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """Host, system, processor, cores and memory of this machine."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory(),
    }


def git(folder: Path) -> dict[str, Any] | None:
    """Commit of the repository that a folder is in, and whether files that it knows have changed; None without one.

    What cannot be told in time is None.
    """
    try:
        status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    except subprocess.TimeoutExpired:
        return {"commit": None, "changed": None}
    except OSError:  # there is no git
        return None
    if status is None:
        return None
    first, *lines = status.splitlines()
    commit = first.removeprefix("# branch.oid ")
    changed = any(not line.startswith("#") for line in lines)
    return {"commit": None if commit == "(initial)" else commit, "changed": changed}


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(  # noqa: S603 - our own words
        [*_GIT, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_PATIENCE,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            head = file.read(4096)  # of the first core: all of them take long on a large machine
    except OSError:
        head = ""
    for line in head.splitlines():
        name, _, text = line.partition(":")
        if name.strip() == "model name":
            return text.strip()
    return platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
