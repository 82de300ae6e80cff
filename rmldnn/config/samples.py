"""The section `data`: of which types its samples are, what is done to them, and what a run does with its sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import Form, alone, misspelt, show
from rmldnn.config import catalog
from rmldnn.config.keys import Values, check_keys, choice, merged, missing
from rmldnn.errors import Problem

TRANSFORM_LISTS = ("transforms", "input_transforms", "target_transforms")
SLICERS = "slicers"
TYPES = ("type", "input_type", "target_type")
"""Keys that name sources."""
PATHLESS = ("labels", "mnist", "webdataset", "pde")
"""Sources that find the targets of inputs without a path of their own."""


def side_types(data: Mapping[str, Any]) -> dict[str, Any]:
    """Names of the input's and the target's source; `type` sets both."""
    both = data.get("type")
    return {side: data.get(f"{side}_type") or both for side in ("input", "target")}


def trains(data: Mapping[str, Any]) -> bool:
    """Whether there is a training set: files, or examples to generate."""
    return bool(data.get("input_path") or data.get("num_examples"))


def tests(data: Mapping[str, Any]) -> bool:
    """Whether there is a test set."""
    return bool(data.get("test_input_path") or data.get("num_test_examples"))


def sources(data: Values | None) -> tuple[dict[str, Form], list[Problem]]:
    """The source component of each side that has one."""
    found: dict[str, Form] = {}
    problems: list[Problem] = []
    for side, name in side_types(data or {}).items():
        key = f"{side}_type" if (data or {}).get(f"{side}_type") else "type"
        if name is None and side == "target":
            continue
        form, faults = choice({f"{side}_type" if name is None else key: name}, "data", key, "source")
        if name is None:
            faults = (
                []
                if misspelt("input_type", (data or {}).keys() - {*TYPES})
                else [missing("input_type", {}, "data", "source")]
            )
        if form is not None and side == "input" and form.name == "labels":
            form, faults = None, [Problem(f"data.{key}", "`labels` can only be a target; set `target_type`")]
        if form is not None:
            found[side] = form
        problems.extend(fault for fault in faults if fault not in problems)
    return found, problems


def data_form(found: Mapping[str, Form]) -> Form:
    """All keys of `data` for given sources: those of a source also with `input_` or `target_` for one side only."""
    form = merged("data", catalog.only("data"), catalog.only("predictions"), *found.values())
    one_sided = {
        f"{side}_{name}": dataclasses.replace(parameter, name=f"{side}_{name}", default=None)
        for side, source in found.items()
        for name, parameter in source.parameters.items()
    }
    return dataclasses.replace(form, parameters={**form.parameters, **one_sided})


def check_data(values: Values | None) -> Iterator[Problem]:
    """Every problem that the section has by itself."""
    if values is None:
        yield Problem("", "`data` is missing: where samples come from", absent=True)
        return
    found, problems = sources(values)
    yield from problems
    if problems or "input" not in found:  # which keys are legal is unknown: let those of all sources pass
        found = dict.fromkeys(("input", "target"), _optional(merged("", *catalog.group("source").values())))
    keys = (*TYPES, *TRANSFORM_LISTS, SLICERS)
    yield from check_keys(data_form(found), values, "data", keys)
    for name in TRANSFORM_LISTS:
        yield from _transforms(values.get(name), f"data.{name}")
    yield from _slicers(values.get(SLICERS))


def _optional(form: Form) -> Form:
    """A form that asks for nothing."""
    free = {key: dataclasses.replace(parameter, default=None) for key, parameter in form.parameters.items()}
    return dataclasses.replace(form, parameters=free)


def transform(item: Values) -> tuple[Form | None, Any]:
    """The component and keys of one item of a list of transforms: `{"resize": [28, 28]}`."""
    ((name, given),) = item.items()
    found = catalog.find("transform", name)
    if found is None or isinstance(given, dict) or len(found.parameters) != 1:
        return found, given
    return found, {next(iter(found.parameters)): given}


def _transforms(items: Any, path: str) -> Iterator[Problem]:
    if items is not None and not isinstance(items, list):
        yield Problem(path, f'must be a list such as [{{"resize": [28, 28]}}], got {alone(items)}')
        return
    for index, item in enumerate(items or ()):
        here = f"{path}[{index}]"
        if not isinstance(item, dict) or len(item) != 1 or not isinstance(next(iter(item)), str):
            yield Problem(here, f'must be an object of one key such as {{"resize": [28, 28]}}, got {show(item)}')
            continue
        found, given = transform(item)
        name = next(iter(item))
        if found is None:
            yield catalog.unknown("transform", name, f"{here}.{name}", "key")
        elif not isinstance(given, dict):
            keys = ", ".join(f"`{key}`" for key in found.parameters)
            yield Problem(f"{here}.{name}", f"must be an object with keys {keys}, got {show(given)}")
        elif given is item[name]:
            yield from found.check(given, f"{here}.{name}")
        else:
            yield from (dataclasses.replace(fault, path=f"{here}.{name}") for fault in found.check(given, here))


def _slicers(items: Any) -> Iterator[Problem]:
    path = f"data.{SLICERS}"
    if items is not None and not isinstance(items, list):
        yield Problem(path, f'must be a list such as [{{"sizes": [64, 64, 64]}}], got {alone(items)}')
        return
    for index, item in enumerate(items or ()):
        if isinstance(item, dict):
            yield from catalog.only("slicer").check(item, f"{path}[{index}]")
        else:
            yield Problem(f"{path}[{index}]", f'must be an object such as {{"sizes": [64, 64, 64]}}, got {show(item)}')
