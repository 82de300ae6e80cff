"""What the command line changes, in the words of the file: components that it chooses, and values that it sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from rmldnn.config import catalog
from rmldnn.errors import ConfigError, Problem

COMMAND_LINE = "command line"


class Group(NamedTuple):
    """A Hydra group from which a user chooses.

    Args:
        kind: The catalog's group.
        section: The part of the configuration that changes with the choice.
        words: The keys that users choose by.
    """

    kind: str
    section: str
    words: tuple[str, ...]


TASK, NETWORK, INPUT, TARGET, SCHEDULER = "task", "network", "data", "target@data", "scheduler@optimizer.lr_scheduler"
GROUPS: Mapping[str, Group] = {
    TASK: Group("task", "task", ("task", "task.type")),
    NETWORK: Group("zoo", "network", ("network", "network.type")),
    "loss": Group("loss", "loss", ("loss", "loss.function")),
    "optimizer": Group("optimizer", "optimizer", ("optimizer", "optimizer.type")),
    SCHEDULER: Group(
        "scheduler",
        "optimizer.lr_scheduler",
        (SCHEDULER, "scheduler", "optimizer.lr_scheduler", "optimizer.lr_scheduler.type"),
    ),
    INPUT: Group("source", "data", ("data", "data.input_type", "data.type")),
    TARGET: Group("source", "data", (TARGET, "target", "data.target_type", "data.type")),
}
_FIXED = ("job", "compute", "loader", "predictions", "checkpoints", "engine", "experiment", "hydra", "defaults")
"""Groups of `conf/` without choice, and words of Hydra's own."""


@dataclass
class Changes:
    """The command line, understood.

    Args:
        choices: Component by Hydra group; None takes the component away.
        arguments: What sets values, for Hydra.
        paths: Every key that is named, for the places of problems.
        dropped: Sections without choice that are taken away.
    """

    choices: dict[str, str | None] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def concern(self, path: str) -> bool:
        """Whether a problem at `path` is about something that the command line says."""
        return any(f"{path}.".startswith(f"{word}.") or f"{word}.".startswith(f"{path}.") for word in self.paths)


def parse(texts: Sequence[str]) -> Changes:
    """Understands `optimizer.learning_rate=0.02`, `loss=mse`, `~checkpoints`, ... (Hydra's grammar).

    Raises:
        ConfigError: With every problem of every text.
    """
    changes, problems = Changes(), []
    parser = OverridesParser.create()
    for text in texts:
        try:
            problem = _take(_read(text, parser), changes)
        except HydraException:
            problem = Problem("", f"cannot read `{text}`; write key=value, such as num_epochs=3")
        if problem:
            problems.append(Problem(problem.path, problem.message, COMMAND_LINE))
    if problems:
        raise ConfigError(problems)
    return changes


def _read(text: str, parser: OverridesParser) -> Override:
    """Parses one text. What Hydra's grammar refuses may be JSON, or else is text as a whole: `./täglich (1)`."""
    try:
        return parser.parse_override(text)
    except HydraException:
        key, sign, value = text.partition("=")
        plain = _json(value)
        if not sign or plain is None or "${" in value:
            raise
        return parser.parse_override(f"{key}={_spelt(plain)}")


def _json(value: str) -> Any:
    """What JSON makes of a text, or the text itself; None if it looks like a list or an object, but is broken."""
    try:
        return json.loads(value)
    except ValueError:
        return None if value[:1] in tuple("[{'\"") or not value else value


def _spelt(value: Any) -> str:
    """A plain value in Hydra's grammar."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_spelt(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_spelt, value))}]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def _take(item: Override, changes: Changes) -> Problem | None:
    """Adds one override to the changes, or says what is wrong with it."""
    text, value = str(item.input_line), item.value()
    key = f"{item.key_or_group}@{item.package}" if item.package else str(item.key_or_group)
    if not key:
        return Problem("", f"cannot read `{text}`; write key=value, such as num_epochs=3")
    if item.is_sweep_override():
        return Problem("", f"`{text}` names several values; a run takes one")
    groups = [name for name, group in GROUPS.items() if key in group.words]
    changes.paths += [GROUPS[name].section for name in groups] or [key]
    internal = key in _FIXED or "_target_" in key.split(".") or (item.package and not groups)
    if key.lstrip("~") in ("checkpoints", "layers") and (value is None or item.is_delete()):
        changes.dropped.append(key.lstrip("~"))
    elif internal:
        return Problem(key, "cannot be set here; set single keys, such as checkpoints.save=./model/")
    elif key.startswith("hydra."):
        return Problem(key, "cannot be set here")
    elif key.startswith("layers."):
        return Problem(key, "single layers cannot be changed here; change them in the file, or name another by layers=")
    elif not groups:
        # A key that `conf/` does not have is added, for the check to judge.
        changes.arguments.append(text if text.startswith(("~", "+")) else f"++{text}")
    elif value is None or item.is_delete():
        changes.choices |= dict.fromkeys(groups)
    elif not isinstance(value, str):
        name = next(iter(catalog.group(GROUPS[groups[0]].kind).values())).name.lower()
        return Problem(key, f"names a component, such as {key}={name}; set its keys one by one")
    else:
        return _choose(key, value, groups, changes)
    return None


def _choose(key: str, name: str, groups: Sequence[str], changes: Changes) -> Problem | None:
    kind = GROUPS[groups[0]].kind
    if catalog.find(kind, name) is None:
        return Problem(key, catalog.absent(kind, name))
    if INPUT in groups and name.lower() == "labels":
        return Problem(key, "`labels` can only be a target; set `data.target_type`")
    changes.choices |= dict.fromkeys(groups, name)
    return None
