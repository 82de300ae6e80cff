"""Which software a run used, on one line."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import rmldnn


def versions() -> str:
    """`rmldnn 0.1.0 (torch 2.13.0, Python 3.11.7, Linux-6.1.0)`, without importing torch."""
    system = f"{platform.system()}-{platform.release()}"
    return f"rmldnn {rmldnn.__version__} (torch {_torch()}, Python {platform.python_version()}, {system})"


def _torch() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:  # built from source, on the path without being installed
        return "unknown"
