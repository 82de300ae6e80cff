"""Sections that say something of each network of a pair: `{"generator": {...}, "discriminator": {...}}`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from rmldnn.component import show, unknown_key
from rmldnn.errors import Problem

PARTS = ("generator", "discriminator")
SECTIONS = ("layers", "network", "optimizer")
"""What may be written for each of them."""


def in_parts(section: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a section speaks of the networks of a pair."""
    return isinstance(section, dict) and any(part in section for part in PARTS)


def each(section: Any, make: Callable[[Any], Any]) -> Any:
    """What is made of a section, or of each of its parts, by name."""
    return {part: make(section[part]) for part in PARTS if part in section} if in_parts(section) else make(section)


def named(section: Any, path: str) -> Mapping[str, Any]:
    """A section by its path, or its parts by theirs: `optimizer.generator`."""
    return (
        {f"{path}.{part}": section[part] for part in PARTS if part in section} if in_parts(section) else {path: section}
    )


def check_layers(layers: Any) -> Iterator[Problem]:
    """Problems of layers that are in parts: keys that are none of them."""
    if in_parts(layers) and "class_name" not in layers:
        yield from (unknown_key(key, "layers", PARTS) for key in layers if key not in PARTS)


def check_parts(section: Mapping[str, Any], path: str, judge: Callable[[Any], Iterator[Problem]]) -> Iterator[Problem]:
    """Problems of a section in parts.

    Args:
        section: The section.
        path: Its place.
        judge: Finds the problems of a section that is not in parts.
    """
    for key, part in section.items():
        if key not in PARTS:
            yield unknown_key(key, path, PARTS)
        elif not isinstance(part, dict):
            yield Problem(f"{path}.{key}", f'must be an object such as {{"type": "..."}}, got {show(part)}')
        else:
            for problem in judge(part):
                yield dataclasses.replace(problem, path=f"{path}.{key}{problem.path.removeprefix(path)}")
