"""Packages that only metrics need: imported when a configuration asks for one, with a remedy when missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rmldnn.errors import ConfigError, Problem


def torchmetrics() -> Any:
    """The package torchmetrics.

    Raises:
        ConfigError: It is not installed.
    """
    return _package("torchmetrics", "torchmetrics.functional")


def ndimage() -> Any:
    """The module `scipy.ndimage`.

    Raises:
        ConfigError: scipy is not installed.
    """
    return _package("scipy.ndimage", "scipy.ndimage")


def _package(module: str, needed: str) -> Any:
    try:
        import_module(needed)
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f'this metric needs the package `{package}`; install it by: pip install "rmldnn[metrics]"'
        raise ConfigError(Problem("metrics", message)) from error
