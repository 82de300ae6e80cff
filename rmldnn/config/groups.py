"""The groups of `conf/`, and configurations as Hydra has them: a list of defaults that chooses components, and values.

    defaults:
      - /rmldnn
      - override /loss: dice
      - _self_
    loss: {source: sigmoid}

Such a file means what `{"neural_network": {"loss": {"function": "Dice", "source": "sigmoid"}}}` means; it is read into
these words here, and written from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rmldnn.component import near_miss, show
from rmldnn.config import catalog, parts
from rmldnn.config.keys import SECTIONS, Values
from rmldnn.config.reader import Document, dotted, read
from rmldnn.config.samples import TYPES, side_types
from rmldnn.errors import ConfigError, Problem

ROOT = "neural_network"
DEFAULTS, ALL_OF_OURS, SELF = "defaults", "/rmldnn", "_self_"
OVERRIDE, PRESET = "override ", "preset"


class Named(NamedTuple):
    """Values in a file of a group that counts over what a configuration says: a preset, or a component of one's own.

    Args:
        place: What messages call it: `preset fast`, `loss/mine.yaml`.
        values: What it says, in the words of a configuration.
        lines: `file:line` by path.
    """

    place: str
    values: Values
    lines: Mapping[str, str] = MappingProxyType({})

    def at(self, path: str) -> str:
        """The place of the value at a path."""
        return self.lines.get(path, self.place)


class Group(NamedTuple):
    """A Hydra group from which a user chooses.

    Args:
        kind: The catalog's group.
        section: The part of the configuration that changes with the choice.
        key: The key of the section that names the component.
        words: The keys that users choose by on the command line.
    """

    kind: str
    section: str
    key: str
    words: tuple[str, ...]


TASK, NETWORK, INPUT, TARGET, SCHEDULER = "task", "network", "data", "target@data", "scheduler@optimizer.lr_scheduler"
GROUPS: Mapping[str, Group] = {
    TASK: Group("task", "task", "type", ("task", "task.type")),
    NETWORK: Group("zoo", "network", "type", ("network", "network.type")),
    "loss": Group("loss", "loss", "function", ("loss", "loss.function")),
    "optimizer": Group("optimizer", "optimizer", "type", ("optimizer", "optimizer.type")),
    SCHEDULER: Group(
        "scheduler",
        "optimizer.lr_scheduler",
        "type",
        (SCHEDULER, "scheduler", "optimizer.lr_scheduler", "optimizer.lr_scheduler.type"),
    ),
    INPUT: Group("source", "data", "input_type", ("data", "data.input_type", "data.type")),
    TARGET: Group("source", "data", "target_type", (TARGET, "target", "data.target_type", "data.type")),
}


def choices(values: Values) -> dict[str, str | None]:
    """Which component each group takes; the words that say so are taken out of `values`."""
    chosen: dict[str, str | None] = {}
    for section in SECTIONS:
        if values.get(section) is None:
            values.pop(section, None)
    for group in (TASK, NETWORK, "loss"):
        named, key = values.get(GROUPS[group].section), GROUPS[group].key
        if isinstance(named, dict) and key in named and not parts.in_parts(named):
            chosen[group] = named.pop(key)
            if not named:
                del values[GROUPS[group].section]
    optimizer = {} if parts.in_parts(values.get("optimizer")) else values.get("optimizer", {})
    if "type" in optimizer:
        chosen["optimizer"] = optimizer.pop("type")
    if optimizer.get("lr_scheduler") is None:
        optimizer.pop("lr_scheduler", None)
    elif isinstance(optimizer["lr_scheduler"], dict) and "type" in optimizer["lr_scheduler"]:
        chosen[SCHEDULER] = optimizer["lr_scheduler"].pop("type")
    if "data" in values:
        types = side_types(values["data"])
        chosen |= {group: types[side] for group, side in ((INPUT, "input"), (TARGET, "target")) if types[side]}
        for key in TYPES:
            values["data"].pop(key, None)
    return chosen


def defaults(chosen: Mapping[str, str | None]) -> list[Any]:
    """A list of defaults that makes choices."""
    return [*({f"{OVERRIDE}/{group}": name and name.lower()} for group, name in chosen.items()), SELF]


def is_hydras(document: Document) -> bool:
    """Whether a file is written as Hydra has it."""
    return isinstance(document.value, dict) and DEFAULTS in document.value and ROOT not in document.value


def into_words(document: Document) -> None:
    """Rewrites a file as Hydra has it in the words of a configuration; its lines stay known.

    Files of the user's own groups, `loss/mine.yaml` beside it for `override /loss: mine`, hold a section each.

    Raises:
        ConfigError: The list of defaults holds something else than choices.
    """
    values = dict(document.value)
    listed = values.pop(DEFAULTS)
    chosen: Values = {}
    problems: list[Problem] = []
    if not isinstance(listed, list):
        raise ConfigError(Problem(DEFAULTS, f"must be a list, got {show(listed)}", document.place((DEFAULTS,))))
    for index, entry in enumerate(listed):
        place = document.place((DEFAULTS, index))
        try:
            chosen = merged(chosen, _chosen(entry, document))
        except ConfigError as error:
            at = f"{DEFAULTS}[{index}]"
            problems += [item if item.place else Problem(at, item.message, place) for item in error.problems]
    if problems:
        raise ConfigError(problems)
    for _, section, key, _ in GROUPS.values():
        if isinstance(values.get(section), str):  # a bare name
            values[section] = {key: values[section]}
    document.value = {ROOT: merged(chosen, values)}
    document.lines = {
        (ROOT, *location): line for location, line in document.lines.items() if location[:1] != (DEFAULTS,)
    }
    document.elsewhere = {at: place for at, place in document.elsewhere.items() if at not in document.lines}
    document.problems = [dataclasses.replace(item, path=f"{ROOT}.{item.path}") for item in document.problems]


def _chosen(entry: Any, document: Document) -> Values:
    """What one entry of a list of defaults says, in the words of a configuration; places in other files are noted."""
    if entry in (SELF, ALL_OF_OURS, ALL_OF_OURS[1:]):
        return {}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ConfigError(f"must be like `{OVERRIDE}/loss: dice`, `{ALL_OF_OURS}` or `{SELF}`, got {show(entry)}")
    ((word, name),) = entry.items()
    group = str(word).removeprefix(OVERRIDE).strip().lstrip("/")
    if group == PRESET:
        found = preset(str(name), Path(document.name).parent)
        document.elsewhere |= {(ROOT, *leaf.split(".")): found.place for leaf in leaves(found.values)}
        return found.values
    if group not in GROUPS:
        raise ConfigError(f"`{group}` is no group{near_miss(group, [*GROUPS, PRESET])}")
    if name is None:
        return {}
    kind, section, key, _ = GROUPS[group]
    if form := catalog.find(kind, str(name)):
        return _below(section, {key: form.name})
    own = _own(group, Path(document.name).parent, str(name))
    if own is None:
        raise ConfigError(catalog.absent(kind, str(name)))
    document.elsewhere |= {(ROOT, *section.split("."), *at): own.place(at) for at in own.lines if at}
    return _below(section, own.value)


def _below(section: str, values: Any) -> Values:
    for part in reversed(section.split(".")):
        values = {part: values}
    return dict(values)


def own(group: str, folder: Path, name: str) -> Named | None:
    """What the user's own file of a group says, `loss/mine.yaml` in a folder; None if there is none.

    Raises:
        ConfigError: The file cannot be read, or holds no section.
    """
    document = _own(group, folder, name)
    if document is None:
        return None
    section = GROUPS[group].section
    lines = {f"{section}.{dotted(at)}": document.place(at) for at in document.lines if at}
    return Named(document.name, _below(section, document.value), lines)


def known(group: str, folder: Path) -> list[str]:
    """What can be chosen from a group: components, and the user's own files in a folder."""
    files = (folder / group.partition("@")[0]).glob("*.yaml")
    return [*(form.name for form in catalog.group(GROUPS[group].kind).values()), *(file.stem for file in files)]


def _own(group: str, folder: Path, name: str) -> Document | None:
    """The user's own file of a group; names lead to no other folder."""
    file = folder / group.partition("@")[0] / f"{name}.yaml"
    if Path(name).name != name or not file.is_file():
        return None
    document = read(file)
    if not isinstance(document.value, dict):
        raise ConfigError(f"`{file}` must hold an object, got {show(document.value)}")
    if document.problems:
        raise ConfigError(document.problems)
    return document


def merged(under: Any, over: Any) -> Any:
    """Objects laid over each other, key by key; anything else takes the place of what was there."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: merged(under[key], over[key]) if key in under else over[key] for key in over}}
    return over


def preset(name: str, beside: Path | None = None) -> Named:
    """What a preset says.

    Args:
        name: A preset of ours, or of the user's own: `preset/<name>.yaml` in the folder `beside`.
        beside: The folder of the configuration.

    Raises:
        ConfigError: There is no such preset, or it cannot be understood.
    """
    file, place = _folder() / f"{name}.yaml", f"preset {name}"
    if name not in presets():
        file = (beside or Path()) / PRESET / f"{name}.yaml"
        place = str(file)
        if Path(name).name != name or not file.is_file():
            known = {*presets(), *(path.stem for path in file.parent.glob("*.yaml"))}
            raise ConfigError(f"there is no preset `{name}`{near_miss(name, known)}")
    document = read(file)
    if not isinstance(document.value, dict):
        raise ConfigError(f"`{file}` must hold an object, got {show(document.value)}")
    if not is_hydras(document):
        document.value = {DEFAULTS: [SELF], **document.value}
    into_words(document)
    if document.problems:
        raise ConfigError(document.problems)
    return Named(place, document.value[ROOT])


def presets() -> dict[str, str]:
    """All presets, each with what it is for: the comment on its second line."""
    return {
        path.stem: path.read_text("utf-8").splitlines()[1].lstrip("# ") for path in sorted(_folder().glob("*.yaml"))
    }


def _folder() -> Path:
    return Path(str(files("rmldnn.conf"))) / "preset"


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of all values that are no objects."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield dotted(path)


def at(values: Any, path: str) -> Any:
    """The value at a path, as `leaves` gives it; None if there is none."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values
