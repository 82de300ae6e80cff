"""The text of a configuration file, laid out as people write one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rmldnn.config.groups import ROOT
from rmldnn.config.keys import Values

_WIDTH = 110
_STEP = 4
_SECTIONS = 1
"""Levels that have a line for each key, however short they are."""


def text(values: Values, remarks: Mapping[tuple[str, ...], str] | None = None) -> str:
    """A file of JSON with comments: what is short stands in one line.

    Args:
        values: The content of `neural_network`.
        remarks: Comments, each by the location of the value behind which it stands.
    """
    said = {(ROOT, *place): remark for place, remark in (remarks or {}).items()}
    return "\n".join(_lines({ROOT: values}, (), said)) + "\n"


def _lines(value: Any, place: tuple[Any, ...], remarks: Mapping[tuple[str, ...], str]) -> list[str]:
    """A value in lines; those behind the first are indented."""
    short = json.dumps(value, ensure_ascii=False)
    room = _WIDTH - _STEP * len(place) - len(str(place[-1] if place else "")) - 6
    if not isinstance(value, (dict, list)) or not value or (len(place) > _SECTIONS and len(short) <= room):
        return [short]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    items: list[tuple[Any, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
    lines = [opening]
    for number, (key, item) in enumerate(items):
        inside = _lines(item, (*place, key), remarks)
        if isinstance(value, dict):
            inside[0] = f"{json.dumps(key, ensure_ascii=False)}: {inside[0]}"
        inside[-1] += "," if number < len(items) - 1 else ""
        if remark := remarks.get((*place, key)):
            inside[-1 if len(inside) == 1 else 0] += f"  // {remark}"
        lines += [" " * _STEP + line for line in inside]
    return [*lines, closing]
