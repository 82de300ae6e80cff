"""What the command line changes, in the words of the file: components that it chooses, and values that it sets."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, QuotedString, ValueType
from hydra.errors import HydraException

from rmldnn.component import near_miss
from rmldnn.config import catalog, groups
from rmldnn.config.groups import GROUPS, INPUT, PRESET, SCHEDULER, Named
from rmldnn.config.keys import SECTIONS, TOP
from rmldnn.config.parts import PARTS, in_parts
from rmldnn.config.reader import whole_number
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem

_KEY = re.compile(r"\$\{[\w.\[\]]*\}")
"""A reference to another key, `${data.batch_size}`; all others may ask a resolver, as `${oc.env:HOME}` does."""
_SPECIAL = re.compile(r"[\\()\[\]{}:=, \t]")
"""What has a meaning in Hydra's grammar where there are no quotes."""
_QUOTED = re.compile(r"(\\*)('|\Z)")
"""Where backslashes have a meaning within quotes."""
_FIXED = ("job", "compute", "loader", "predictions", "checkpoints", "engine", "experiment", "hydra", "defaults")
"""Groups of `conf/` without choice, and words of Hydra's own."""
_PART = re.compile(rf"((optimizer|network)\.({'|'.join(PARTS)}))(\.type)?")
"""What names a component of one network of a pair."""


@dataclass
class Changes:
    """The command line, understood.

    Args:
        choices: Component by Hydra group; None takes the component away.
        arguments: What sets values, for Hydra.
        paths: Every key or section that is named, for the places of problems.
        keys: Every key that is set, that which names a component if one is chosen.
        dropped: Sections without choice that are taken away.
        presets: Presets, which count less than the rest of the command line.
        own: Components of the user's own groups, by group.
        layers: Files of layers of the networks of a pair, by part; None takes them away.
        lists: Sections that are several components, by path.
        parts: Components of single networks of a pair, by the path of their section.
    """

    choices: dict[str, str | None] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    presets: list[Named] = field(default_factory=list)
    own: dict[str, Named] = field(default_factory=dict)
    layers: dict[str, str | None] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def named(self) -> list[Named]:
        """All files of groups, each over those before it."""
        return [*self.presets, *self.own.values()]

    def concern(self, path: str) -> bool:
        """Whether a problem at `path` is about something that the command line says."""
        items = f"{path}.".replace("[", ".[")
        return any(items.startswith(f"{word}.") or f"{word}.".startswith(f"{path}.") for word in self.paths)


_HYDRAS = {
    **dict.fromkeys(("launcher", "sweeper", "sweep"), "it is about sweeps: add -m"),
    "mode": "a sweep has -m",
    "run": "a run's folder is named by run_folder=",
}
"""What does here what words of Hydra's do there; those of sweeps have a meaning with -m (`sweeps/multirun.py`)."""


def parse(texts: Sequence[str], beside: Path = Path()) -> Changes:
    """Understands `optimizer.learning_rate=0.02`, `loss=mse`, `~checkpoints`, ... (Hydra's grammar).

    Args:
        texts: The command line.
        beside: The folder in which groups of the user's own are.

    Raises:
        ConfigError: With every problem of every text.
    """
    changes, problems = Changes(), []
    parser = OverridesParser.create()
    for text in texts:
        try:
            problem = _take(_read(text, parser), changes, beside)
        except HydraException:
            problem = _unread(text)
        except ConfigError as error:  # in a file of the user's own
            problems += error.problems
            continue
        if problem:
            problems.append(Problem(problem.path, problem.message, COMMAND_LINE))
    if problems:
        raise ConfigError(problems)
    return changes


def with_parts(layers: Any, changes: Changes) -> Any:
    """Layers with those of single networks of a pair in place of their own; None if nothing is left."""
    if not changes.layers:
        return layers
    merged = {**(layers if in_parts(layers) else {}), **changes.layers}
    return {part: own for part, own in merged.items() if own is not None} or None


def _read(text: str, parser: OverridesParser) -> Override:
    """Parses one text. What Hydra's grammar refuses may be JSON, or else is text as a whole: `./täglich (1)`.

    Numbers are those of a file: `1e6` is a whole one.
    """
    try:
        read = parser.parse_override(text)
    except HydraException:
        key, sign, value = text.partition("=")
        plain = _json(value)
        if not sign or plain is None or "${" in value:
            raise
        return parser.parse_override(f"{key}={spelt(plain)}")
    key, _, word = text.partition("=")
    number = read.value()
    if not isinstance(number, float) or not math.isfinite(number) or whole_number(word, number) is number:
        return read
    return parser.parse_override(f"{key}={whole_number(word, number)}")


def _unread(text: str) -> Problem:
    """The problem of a text that is no change."""
    for opening, closing in ("[]", "{}", "()"):
        if text.count(opening) != text.count(closing):
            remedy = f"`{opening}` and `{closing}` must be as many; write '{text.partition('=')[0]}=[1,2]' in quotes"
            return Problem("", f"cannot read `{text}`; {remedy}")
    return Problem("", f"cannot read `{text}`; write key=value, such as num_epochs=3")


def sweeps(texts: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Splits a command line into texts that set one value each, and what names several: the parameters of a sweep.

    Several values are, in Hydra's grammar, `a,b`, `choice(a,b)` and `range(1,5)`; ranges are `interval(0,1)`,
    `tag(log,interval(1e-5,1e-2))` and `int(interval(4,64))`.

    Returns:
        The texts, and domains by path, as the section `sweep` has them.

    Raises:
        ConfigError: With every problem of every text.
    """
    rest: list[str] = []
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    parser = OverridesParser.create()
    for text in texts:
        try:
            item = _read(text, parser)
        except HydraException:
            rest.append(text)  # whoever takes it tells what is wrong
            continue
        if not item.is_sweep_override():
            rest.append(text)
            continue
        key, value = str(item.key_or_group), item.value()
        if item.is_discrete_sweep() and not isinstance(value, Glob):
            words = text.partition("=")[2].split(",") if item.value_type is ValueType.SIMPLE_CHOICE_SWEEP else []
            found[key] = _listed(item, words)
        elif isinstance(value, IntervalSweep):
            whole, log = isinstance(value.start, int), "log" in value.tags
            kind = ("log_integer" if log else "integer") if whole else ("log" if log else "uniform")
            found[key] = {kind: [value.start, value.end]}
        else:
            problems.append(Problem(key, f"`{text}` names no values; list them: {key}=a,b", COMMAND_LINE))
    if problems:
        raise ConfigError(problems)
    return rest, found


def values(texts: Sequence[str]) -> dict[str, Any]:
    """What texts set, value by path, as it is written there.

    Raises:
        ConfigError: With every text that cannot be read.
    """
    found, problems = {}, []
    parser = OverridesParser.create()
    for text in texts:
        try:
            item = _read(text, parser)
            found[str(item.key_or_group)] = item.value()
        except HydraException:
            problems.append(dataclasses.replace(_unread(text), place=COMMAND_LINE))
    if problems:
        raise ConfigError(problems)
    return found


def _listed(item: Override, words: Sequence[str]) -> list[Any]:
    """The values of a text that names several; `1e3,1e4` are whole numbers, as in a file."""
    values = [value.text if isinstance(value, QuotedString) else value for value in item.sweep_iterator()]
    if len(words) == len(values):
        pairs = zip(words, values, strict=True)
        return [
            whole_number(word, value) if isinstance(value, float) and math.isfinite(value) else value
            for word, value in pairs
        ]
    return values


def _json(value: str) -> Any:
    """What JSON makes of a text, or the text itself; None if it looks like a list or an object, but is broken."""
    try:
        return json.loads(value)
    except ValueError:
        return None if value[:1] in tuple("[{'\"") or not value else value


def sayable(value: Any) -> bool:
    """Whether a value can be said on a command line: keys of objects may not be such as `1`, `null` or `it's`."""
    try:
        return bool(values([f"x={spelt(value)}"])["x"] == value)
    except ConfigError:
        return False


def spelt(value: Any) -> str:
    """A plain value in Hydra's grammar, in which keys have no quotes, and backslashes count before quotes only."""
    if isinstance(value, dict):
        keys = {key: _SPECIAL.sub(r"\\\g<0>", str(key)) for key in value}
        return "{" + ",".join(f"{keys[key]}:{spelt(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(spelt, value))}]"
    if isinstance(value, str):
        return "'" + _QUOTED.sub(lambda found: found[1] * 2 + (found[2] and "\\'"), value) + "'"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value)


def _take(item: Override, changes: Changes, beside: Path) -> Problem | None:
    """Adds one override to the changes, or says what is wrong with it."""
    text, value = str(item.input_line), item.value()
    key = f"{item.key_or_group}@{item.package}" if item.package else str(item.key_or_group)
    if not key:
        return _unread(text)
    if item.is_sweep_override():
        return Problem("", f"`{text}` names several values; a run takes one, and -m sweeps over all of them")
    if _asks(text) or _asks(value):
        message = f"`{text}` asks for something outside of the configuration; write what it stands for"
        return Problem(key, f"{message} (a shell replaces $HOME by itself)")
    if key == PRESET:
        return _preset(value, changes, beside)
    chosen = [name for name, group in GROUPS.items() if key in group.words]
    for name in chosen:
        changes.lists.pop(GROUPS[name].section, None)  # the last word counts
        changes.own.pop(name, None)
    changes.paths += [GROUPS[name].section for name in chosen] or [key]
    changes.keys += [f"{GROUPS[name].section}.{GROUPS[name].key}" for name in chosen] or [key.lstrip("+~")]
    internal = key in _FIXED or "_target_" in key.split(".") or (item.package and not chosen)
    if key.lstrip("~") in ("checkpoints", "layers") and (value is None or item.is_delete()):
        changes.dropped.append(key.lstrip("~"))
    elif internal:
        return Problem(key, "cannot be set here; set single keys, such as checkpoints.save=./model/")
    elif key.lstrip("+~").startswith(("hydra.", "hydra/")):
        ours = _HYDRAS.get(re.split("[./]", key.lstrip("+~"))[1])
        return Problem(key, f"cannot be set here{f'; {ours}' if ours else ''}")
    elif (part := key.lstrip("~").removeprefix("layers.")) in PARTS and part != key:
        if item.is_delete() or value is None:
            changes.layers[part] = None
        elif isinstance(value, str):
            changes.layers[part] = value
        else:
            return Problem(key, f"names a file of layers, such as {key}=./{part}.json")
    elif key.startswith("layers."):
        return Problem(key, "single layers cannot be changed here; change them in the file, or name another by layers=")
    elif isinstance(value, str) and not item.is_delete() and (own := _PART.fullmatch(key)):
        changes.paths[-1], changes.keys[-1] = own[1], f"{own[1]}.type"
        if catalog.find(GROUPS[own[2]].kind, value) is None:
            return Problem(key, catalog.absent(GROUPS[own[2]].kind, value))
        changes.parts[own[1]] = value
    elif item.is_delete() and (lacking := _lacking(key)):
        return lacking
    elif not chosen:
        # A key that `conf/` does not have is added, for the check to judge.
        changes.arguments.append(text if text.startswith("~") else f"++{text.lstrip('+')}")
    elif value is None or item.is_delete():
        changes.choices |= dict.fromkeys(chosen)
    elif isinstance(value, list) and chosen[0] in ("loss", SCHEDULER):  # a sum, a chain
        changes.choices |= dict.fromkeys(chosen)
        changes.lists[GROUPS[chosen[0]].section] = value
        changes.keys.append(GROUPS[chosen[0]].section)
    elif not isinstance(value, str):
        name = next(iter(catalog.group(GROUPS[chosen[0]].kind).values())).name.lower()
        return Problem(key, f"names a component, such as {key}={name}; set its keys one by one")
    else:
        return _choose(key, value, chosen, changes, beside)
    return None


def _lacking(key: str) -> Problem | None:
    """The problem of something that is taken away, and that no configuration has."""
    word = re.split(r"[.\[]", key.lstrip("~"))[0]
    known = {*SECTIONS, *GROUPS, *(name for group in TOP for name in catalog.only(group).parameters)}
    return None if word in known else Problem(key, f"there is no `{word}` to take away{near_miss(word, known)}")


def _asks(value: Any) -> bool:
    """Whether a text, or one in a value, refers to anything but keys of the configuration."""
    if isinstance(value, dict):
        return any(map(_asks, (*value, *value.values())))
    if isinstance(value, list):
        return any(map(_asks, value))
    return isinstance(value, str) and "${" in _KEY.sub("", value)


def _choose(key: str, name: str, chosen: Sequence[str], changes: Changes, beside: Path) -> Problem | None:
    kind = GROUPS[chosen[0]].kind
    if catalog.find(kind, name) is None:
        if own := groups.own(chosen[0], beside, name):
            section, naming = GROUPS[chosen[0]].section, f"{GROUPS[chosen[0]].section}.{GROUPS[chosen[0]].key}"
            changes.own[chosen[0]] = own
            changes.choices.pop(chosen[0], None)
            changes.paths = [path for path in changes.paths if path != section]  # the file has the say
            changes.keys = [path for path in changes.keys if path != naming]
            return None
        return Problem(
            key, f"there is no {catalog.kind(kind)} `{name}`{near_miss(name, groups.known(chosen[0], beside))}"
        )
    if INPUT in chosen and name.lower() == "labels":
        return Problem(key, "`labels` can only be a target; set `data.target_type`")
    changes.choices |= dict.fromkeys(chosen, name)
    return None


def _preset(value: Any, changes: Changes, beside: Path) -> Problem | None:
    """Adds one preset, or a list of them."""
    for name in value if isinstance(value, list) else [value]:
        try:
            changes.presets.append(groups.preset(str(name), beside))
        except ConfigError as error:
            if any(problem.place for problem in error.problems):  # a file of the user's own
                raise
            return Problem(PRESET, error.problems[0].message)
    return None
