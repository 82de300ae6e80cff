"""Regularizers: what Keras adds to the loss for the size of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rmldnn.component import near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks.variable import Variable

SUFFIX = "_regularizer"
_DEFAULT = 0.01
"""Factor of a regularizer that is given by its name alone."""


def penalised(variables: Sequence[Variable], config: Mapping[str, Any]) -> Iterator[Variable]:
    """The variables with the penalties that the layer's keys ask for: `kernel_regularizer` is for `kernel`.

    Raises:
        NetworkError: An unknown regularizer, or one for a weight that the layer does not have.
    """
    factors = {
        key.removesuffix(SUFFIX): read(value, key)
        for key, value in config.items()
        if key.endswith(SUFFIX) and value is not None and not key.startswith("activity")
    }
    for variable in variables:
        yield replace(
            variable,
            penalty=factors.get(variable.name, factors.get(variable.name.removesuffix("_kernel"), variable.penalty)),
        )


def read(value: Any, key: str) -> tuple[float, float]:
    """The factors l1 and l2 of a regularizer as Keras writes it.

    Args:
        value: `l2`, or an object of class `L1`, `L2` or `L1L2` with its factors, or `OrthogonalRegularizer`, refused.
        key: What the user calls it.
    """
    known = ("L1", "L2", "L1L2", "L1_L2")
    name: Any = value if isinstance(value, str) else None
    config: Any = {}
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config") or {}
    if name is None and isinstance(value, Mapping) and {"l1", "l2"} & set(value):
        name, config = "L1L2", value
    if not isinstance(name, str) or name.upper() not in known or not isinstance(config, Mapping):
        near = near_miss(str(name), known[:3])
        raise NetworkError(f"unknown `{key}` {show(value)}{near}; or set it to null")
    absent = _DEFAULT if not config or name.upper() in ("L1", "L2") else 0.0
    wanted = {"L1": ("l1",), "L2": ("l2",)}.get(name.upper(), ("l1", "l2"))
    factors = [(config.get(one, absent) or 0.0) if one in wanted else 0.0 for one in ("l1", "l2")]
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor < float("inf"):
            raise NetworkError(f"`{key}`: its factors must be numbers at least 0, got {show(factor)}")
    return float(factors[0]), float(factors[1])
