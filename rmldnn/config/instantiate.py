"""From nodes to objects: what Hydra makes of `_target_` nodes, with a component's own errors."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any

from hydra import utils
from hydra.errors import InstantiationException

from rmldnn.config import translate
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem, RmldnnError


def instantiate(node: Mapping[str, Any] | None) -> Any:
    """Makes the object of a node; an error of a component comes out as itself, not wrapped by Hydra."""
    try:
        return node and utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ImportError) and (found := _LOADING.search(str(cause))):
            raise _unloaded(found[1], cause) from error
        if isinstance(cause, (RmldnnError, ImportError)):
            raise cause from None
        raise


_LOADING = re.compile(r"^Error loading '(?!rmldnn\.)(.+?)\.\w+'")
"""What Hydra says of a module of the user's own that cannot be imported."""


def _unloaded(module: str, error: BaseException) -> ConfigError:
    """Why a module of the user's own cannot be imported, and where."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if module.replace(".", "/") in frame.filename]
    where = f", in line {own[-1].lineno} of `{own[-1].filename}`" if own else ""
    message = f"`{module}` cannot be imported: {type(error).__name__}: {error}{where}"
    return ConfigError(Problem("plugins", message, COMMAND_LINE))


def opened_data(config: Mapping[str, Any]) -> Any:
    """The data of a composed configuration (`rmldnn.data.dataset.Data`), of which nothing is read ahead or kept."""
    plain = {**config, "data": {**config["data"], "preload": False, "cache": False}}
    return instantiate(translate.job(plain)["data"])
