"""Which keys a section accepts: those of the component that it names.

A key that nobody knows there comes with a near miss, or with the section where it is at home.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import SYNONYMS, Form, misspelt, show, unknown_key
from rmldnn.config import catalog
from rmldnn.errors import Problem, Remedy

Values = dict[str, Any]

SECTIONS = (
    "task", "network", "data", "loss", "optimizer", "metrics", "early_stopping", "multigrid", "tracking", "checkpoints",
    "engine", "deepspeed", "sweep",
)  # fmt: skip
TOP = ("job", "network", "compute")
"""Groups whose keys stand at the top level."""
PLAIN: Mapping[str, tuple[str, ...]] = {
    "": TOP,
    "data": ("data", "predictions"),
    "data.slicers": ("slicer",),
    **{name: (name,) for name in ("checkpoints", "early_stopping", "multigrid", "engine", "sweep")},
}
"""Groups of a single component whose keys a section has anyhow, by its path."""
CHOSEN: Mapping[str, tuple[str, str]] = {
    "task": ("task", "type"),
    "network": ("zoo", "type"),
    "data": ("source", "input_type"),
    "data.transforms": ("transform", ""),
    "loss": ("loss", "function"),
    "optimizer": ("optimizer", "type"),
    "optimizer.lr_scheduler": ("scheduler", "type"),
    "metrics": ("metric", "name"),
    "tracking": ("tracker", "type"),
}
"""The group from which a section takes a component, and the key that names it; a transform is named by its key."""
_UNIQUE = ("data", "loss", "optimizer", "optimizer.lr_scheduler", "network", "task")
"""Sections by whose keys one can tell where a key belongs."""
_FEW = 8
"""A key that more components have than this is not explained by their names."""


def choice(values: Values | None, path: str, key: str, group: str) -> tuple[Form | None, list[Problem]]:
    """The component that a section names by `key`, or the problem of a missing or unknown name."""
    if values is None:
        return None, []
    name = values.get(key)
    if name is None:
        return None, [missing(key, values, path, group)]
    if not isinstance(name, str):
        return None, [Problem(f"{path}.{key}", f"must be a name, got {show(name)}")]
    found = catalog.find(group, name)
    if found is None:
        return None, [catalog.unknown(group, name, f"{path}.{key}")]
    return found, []


def missing(key: str, values: Values, path: str, group: str) -> Problem:
    """The problem of a section that names no component, or does so by a misspelt key."""
    for word in ("type", "function", "name"):
        if word in values:
            message = f"`{word}`: unknown key in {path}; the name stands under `{key}` here"
            return Problem(f"{path}.{word}", message, remedy=Remedy("key", word, key))
    for word in values:
        if misspelt(key, [word]):
            message = f"`{word}`: unknown key in {path}; did you mean `{key}`?"
            return Problem(f"{path}.{word}", message, remedy=Remedy("key", word, key))
    return Problem(path, f"`{key}` is missing{catalog.suggest(group, '')}", absent=True)


def check_chosen(
    values: Values | None, path: str, key: str, group: str, also: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """Every problem of a section that names its component.

    Args:
        values: The section, if it is there.
        path: Its place.
        key: Its key that names the component.
        group: The component's group.
        also: Further keys that are legal here and checked elsewhere.
    """
    found, problems = choice(values, path, key, group)
    yield from problems
    if found is not None and values is not None:
        yield from check_keys(found, values, path, (key, *also), called=f"{path} {found.name}")


def merged(name: str, *forms: Form) -> Form:
    """A form with the keys of several."""
    parameters = {key: parameter for form in forms for key, parameter in form.parameters.items()}
    return Form(name, "", parameters)


def check_keys(
    form: Form, values: Values, path: str, also: tuple[str, ...] = (), called: str = ""
) -> Iterator[Problem]:
    """The form's own check, with better words for a key that is known in another place."""
    for problem in form.check(values, path, also=also):
        key = problem.key
        if not problem.mild:
            yield problem
        elif SYNONYMS.get(key.lower()) in {*form.parameters, *also}:
            yield dataclasses.replace(unknown_key(key, called or path, [*form.parameters, *also]), path=problem.path)
        elif elsewhere := _home(key, path):
            yield dataclasses.replace(problem, message=f"`{key}`: unknown key here; {elsewhere}", remedy=None)
        elif called:
            yield dataclasses.replace(unknown_key(key, called, [*form.parameters, *also]), path=problem.path)
        else:
            yield problem


def _home(key: str, path: str) -> str:
    """Where a key that is misplaced belongs."""
    for section, groups in PLAIN.items():
        if section != path and any(key in catalog.only(group).parameters for group in groups):
            return f"it belongs to `{section}`" if section else "it belongs to the top level"
    for section in _UNIQUE:
        group, _ = CHOSEN[section]
        owners = [form.name for form in catalog.group(group).values() if key in form.parameters]
        if section == path and 0 < len(owners) <= _FEW:
            return f"`{key}` is for {', '.join(owners)}"
        if owners and (path == "" or (path == "data" and section in ("loss", "optimizer"))):
            return f"it belongs to `{section}`"
    if key in SECTIONS and path:
        return "it belongs to the top level"
    if key == "lr_scheduler":
        return "it belongs to `optimizer`"
    return ""
