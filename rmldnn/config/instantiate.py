"""From nodes to objects: what Hydra makes of `_target_` nodes, with a component's own errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra import utils
from hydra.errors import InstantiationException

from rmldnn.config import translate
from rmldnn.errors import RmldnnError


def instantiate(node: Mapping[str, Any] | None) -> Any:
    """Makes the object of a node; an error of a component comes out as itself, not wrapped by Hydra."""
    try:
        return node and utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, (RmldnnError, ImportError)):
            raise error.__cause__ from None
        raise


def opened_data(config: Mapping[str, Any]) -> Any:
    """The data of a composed configuration (`rmldnn.data.dataset.Data`), of which nothing is read ahead or kept."""
    plain = {**config, "data": {**config["data"], "preload": False, "cache": False}}
    return instantiate(translate.job(plain)["data"])
