"""Labelled values: how a run describes itself, before any console decides what that looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Row: TypeAlias = tuple[str, object]
Rows: TypeAlias = Sequence[Row]

_LABELS = {"amsgrad": "AMSGrad", "lr_decay": "LR decay"}
_VANISHES = 1e-3
"""Of less than this, four decimals show one digit at most."""
_LESS_IS_BETTER = ("loss", "mae", "hd95", "fid")


@dataclass(frozen=True)
class Group:
    """Rows that belong together, as the value of a row: `("Transforms", Group([("resize", [28, 28])]))`."""

    rows: Rows


def component_rows(head: Literal["Type", "Function"], title: str, values: Mapping[str, object]) -> list[Row]:
    """The rows that describe one component.

    Args:
        head: Label of the first row: `Type` of an optimizer or scheduler, `Function` of a loss.
        title: Value of the first row, as the log calls the component: `NLL (Negative Log-Likelihood)`.
        values: Keys and their values, in the order of the rows.
    """
    return [(head, title), *((label(key), value) for key, value in values.items())]


def label(key: str) -> str:
    """How the log calls a key: `learning_rate` is `Learning rate`."""
    return _LABELS.get(key) or key[:1].upper() + key[1:].replace("_", " ")


def number(value: float) -> str:
    """A loss or a metric: four decimals, or the leading digits of what would vanish in them."""
    return f"{value:.2e}" if 0 < abs(value) < _VANISHES else f"{value:.4f}"


def less_is_better(name: str) -> bool:
    """Whether the less of two losses or metrics is the better one: of `test_loss`, `MAE`, `test_HD95/left_lung`."""
    return name.partition("/")[0].rpartition("_")[2].lower() in _LESS_IS_BETTER


def show(value: object) -> str:
    """A value as the original prints it: six significant digits, flags as 0 and 1, `[28, 28]`, `mean: 0, std: 1`."""
    match value:
        case bool():
            return str(int(value))
        case float():
            return f"{value:g}"
        case str():
            return value
        case Mapping():
            return ", ".join(f"{key}: {show(item)}" for key, item in value.items())
        case Sequence():
            return f"[{', '.join(map(show, value))}]"
    return str(value)
