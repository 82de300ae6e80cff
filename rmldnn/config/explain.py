"""What a key, a section or a component means: from its path, as in messages, to what its docstring says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rmldnn.component import Form, Parameter, near_miss, show
from rmldnn.config import catalog, groups, meanings
from rmldnn.config.keys import CHOSEN, PLAIN, SECTIONS
from rmldnn.config.samples import TRANSFORM_LISTS, TYPES
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem
from rmldnn.types import describe

_ELSEWHERE = {
    **{f"data.{name}": "data.transforms" for name in TRANSFORM_LISTS},
    **dict.fromkeys(TRANSFORM_LISTS, "data.transforms"),
    "slicers": "data.slicers",
    "lr_scheduler": "optimizer.lr_scheduler",
}
"""Sections by other paths."""
_ITEMS = {"layers": "layer"}
"""Groups that are explained but have no section of their own."""
_TEXTS = {
    "deepspeed": "Settings of DeepSpeed, laid over those that follow from `engine`; `rmldnn config --deepspeed "
    "config.json` prints the result.",
    "optimizer.parameters": "Keys of the optimizer for some layers only: a list of objects, each with `layers`, a "
    'regular expression that names of layers match, or `kinds` ("bias", "norm"), and keys of the optimizer. The first '
    "that takes a parameter counts.",
}


@dataclass(frozen=True)
class Key:
    """One key of some components that say the same of it.

    Args:
        path: Where it stands.
        parameter: Its type and default.
        meaning: What it does.
        owners: The components, if not all of the section have it.
    """

    path: str
    parameter: Parameter
    meaning: str
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A component, or a section.

    Args:
        path: Where it stands.
        text: What it is.
        keys: What it accepts.
        names: Components from which a section chooses, each with its summary.
        key: The key by which it does so.
    """

    path: str
    text: str
    keys: tuple[Key, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    key: str = ""


def explain(path: str) -> list[Key | Part]:
    """Everything that a path can mean: `optimizer.nesterov`, `nesterov`, `optimizer`, `loss.Dice`, `loss[0].source`.

    Args:
        path: In the words of a configuration; names of components are matched without regard to case.

    Raises:
        ConfigError: It means nothing; a near miss is named.
    """
    plain = re.sub(r"\[\d*\]", "", path).strip(".").removeprefix(f"{groups.ROOT}.")
    found = _meanings(plain) or _meanings(plain.removeprefix("sweep."))  # which has keys of all sections
    if not found:
        raise ConfigError(Problem(path, f"means nothing{near_miss(plain, _paths())}", COMMAND_LINE))
    return found


def _meanings(path: str) -> list[Key | Part]:
    return [*_section(path)] or [*_inside(path)] or [*_anywhere(path)]


def _section(path: str) -> Iterator[Part]:
    outer, _, last = path.rpartition(".")
    outer = _ELSEWHERE.get(outer, outer)
    if outer in CHOSEN and (last == CHOSEN[outer][1] or (outer == "data" and last in TYPES)):
        path = outer  # the key that chooses says what the section can be
    path = _ELSEWHERE.get(path, path)
    if path in TYPES:  # of the sides of `data`
        path = "data"
    name = path.removeprefix(f"{groups.PRESET}.")
    if name in groups.presets():
        preset = groups.preset(name).values
        values = [f"{leaf}: {json.dumps(groups.at(preset, leaf))}" for leaf in groups.leaves(preset)]
        yield Part(f"{groups.PRESET}.{name}", "\n\n".join([groups.presets()[name], *values]))
    elif path == groups.PRESET:
        text = "Several keys at once, over those of the file and under those of the command line: `+preset=fast`."
        yield Part(path, text, names=tuple(groups.presets().items()))
    elif path and (path in PLAIN or path in CHOSEN or path in _TEXTS or path in _ITEMS):
        group, key = _group(path), CHOSEN.get(path, ("", ""))[1]
        names = [(form.name, meanings.summary(form)) for form in catalog.group(group).values()] if group else []
        forms = [catalog.only(name) for name in PLAIN.get(path, ())]
        text = _TEXTS.get(path) or (meanings.summary(forms[0]) if forms else "")
        keys = tuple(item for name in PLAIN.get(path, ()) for item in _keys(path, name, catalog.only(name)))
        yield Part(path, text, keys, tuple(names), key)


def _inside(path: str) -> Iterator[Key | Part]:
    """What stands in a section: a key of it, a component, or a key of that."""
    section, _, last = path.rpartition(".")
    section = _ELSEWHERE.get(section, section)
    for group in PLAIN.get(section, ()):
        yield from (key for key in _keys(section, group, catalog.only(group)) if key.parameter.name == last)
    if group := _group(section):
        form = catalog.find(group, last)
        if form is not None:
            text = form.doc.partition("\nArgs:")[0].strip()
            yield Part(f"{section}.{form.name}", text, tuple(_keys(section, group, form)))
        yield from _shared(section, group, last)
    outer, _, name = section.rpartition(".")
    outer = _ELSEWHERE.get(outer, outer)
    if (group := _group(outer)) and (form := catalog.find(group, name)) is not None:
        yield from (key for key in _keys(f"{outer}.{form.name}", group, form) if key.parameter.name == last)


def _group(section: str) -> str:
    """The group from which a section takes a component; empty if it does not."""
    return CHOSEN[section][0] if section in CHOSEN else _ITEMS.get(section, "")


def _anywhere(word: str) -> Iterator[Key | Part]:
    """A key or a component by its name alone."""
    if "." in word:
        return
    for section in dict.fromkeys([*PLAIN, *CHOSEN, *_ITEMS]):
        yield from _inside(f"{section}.{word}" if section else word)


def _keys(path: str, group: str, form: Form) -> Iterator[Key]:
    said = meanings.keys(group, form)
    for name, parameter in form.parameters.items():
        yield Key(f"{path}.{name}".lstrip("."), parameter, said.get(name, ""))


def _shared(section: str, group: str, name: str) -> Iterator[Key]:
    """A key that components of a group have, once for each thing that they say of it."""
    if section == "data":  # `input_grayscale` is `grayscale` of one side
        name = re.sub("^(input|target)_(?!path|type)", "", name)
    owners: dict[str, tuple[Key, list[str]]] = {}
    for form in catalog.group(group).values():
        for key in _keys(section, group, form):
            if key.parameter.name == name:
                same = f"{key.meaning} {key.parameter.annotation} {key.parameter.default}"
                owners.setdefault(same, (key, []))[1].append(form.name)
    for key, names in owners.values():
        yield Key(key.path, key.parameter, key.meaning, tuple(names))


def _paths() -> Iterator[str]:
    """Every path that means something."""
    yield from (*SECTIONS, *PLAIN, *CHOSEN, *_ITEMS, *_TEXTS, groups.PRESET)
    for section, plain in PLAIN.items():
        for group in plain:
            yield from (key.path for key in _keys(section, group, catalog.only(group)))
    for section, (group, _) in CHOSEN.items():
        for form in catalog.group(group).values():
            yield f"{section}.{form.name}"
            yield from (key.path for key in _keys(section, group, form))


def value(parameter: Parameter) -> str:
    """Which values a key takes, and which it has without a word."""
    default = "required" if parameter.required else f"default {show(parameter.default)}"
    return f"{describe(parameter.annotation)}; {default}"
