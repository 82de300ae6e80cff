"""From a checked configuration and the command line to one Hydra job; the only writer of `_target_`.

A configuration file is one Hydra experiment: a defaults list that chooses the components, and values. Hydra composes
`conf/` < file < command line; the result still speaks the words of the file, is checked once more, and only then
becomes a tree of `_target_` nodes, whose targets come from the catalog and from nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rmldnn.component import Form
from rmldnn.config import catalog
from rmldnn.config.check import TRANSFORM_LISTS, Values, check, data_form, side_types, sources, transform
from rmldnn.config.spec import Spec
from rmldnn.errors import ConfigError, Problem

CHOICES = {
    "loss": ("loss", ("loss.function",), "loss"),
    "optimizer": ("optimizer", ("optimizer.type",), "optimizer"),
    "scheduler@optimizer.lr_scheduler": (
        "scheduler",
        ("optimizer.lr_scheduler.type", "optimizer.lr_scheduler", "scheduler"),
        "optimizer.lr_scheduler",
    ),
    "data": ("source", ("data.input_type",), "data"),
    "target@data": ("source", ("data.target_type", "target"), "data"),
}
"""Per Hydra group: the catalog's group, the words users choose by, and the section that changes with the choice."""

COMMAND_LINE = "command line"
_INLINE = "<layers of the file>"


def compose(spec: Spec | None, overrides: Sequence[str] = ()) -> tuple[Values, list[Problem]]:
    """Composes `conf/`, a configuration and the command line, and checks the result.

    Args:
        spec: The checked file; None if the command line is all there is.
        overrides: `optimizer.learning_rate=0.02`, `loss=mse`, ... in Hydra's grammar.

    Returns:
        The whole configuration with every default filled in, in the words of the file; and notices of keys that
        were left out because the command line chose another component.

    Raises:
        ConfigError: An override cannot be understood, or the composed configuration is wrong.
    """
    values = _copy(spec.values) if spec else {}
    parsed = _parse(overrides)
    chosen = _file_choices(values) | {group: name for group, name in (_choice(item) for item in parsed) if group}
    notices = _forget_keys(values, chosen, parsed, spec)
    layers = values.get("layers")
    if isinstance(layers, (list, dict)):
        values["layers"] = _INLINE
    arguments = [argument for item in parsed if not _choice(item)[0] for argument in _arguments(item)]
    config = _with_hydra(_experiment(values, chosen), arguments)
    if config.get("layers") == _INLINE:
        config["layers"] = layers
    problems = [_located(problem, parsed, spec) for problem in check(_given(config))]
    if problems:
        raise ConfigError(problems)
    return config, notices


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser, parsed, problems = OverridesParser.create(), [], []
    for text in overrides:
        try:
            item = parser.parse_override(text)
            if item.is_sweep_override():
                problems.append(Problem("", f"`{text}` names several values; a run takes one", COMMAND_LINE))
            parsed.append(item)
        except (OverrideParseException, HydraException):
            problems.append(Problem("", f"cannot read `{text}`; write key=value, such as num_epochs=3", COMMAND_LINE))
    for item in parsed:
        group, name = _choice(item)
        if group and name and catalog.find(CHOICES[group][0], name) is None:
            kind = CHOICES[group][0]
            known = catalog.suggest(kind, name)
            problems.append(Problem(_key(item), f"there is no {kind} `{name}`{known}", COMMAND_LINE))
        if _key(item).startswith("hydra") or "_target_" in (item.input_line or ""):
            problems.append(Problem(_key(item), "cannot be set here", COMMAND_LINE))
    if problems:
        raise ConfigError(problems)
    return parsed


def _key(item: Override) -> str:
    return f"{item.key_or_group}@{item.package}" if item.package else str(item.key_or_group)


def _choice(item: Override) -> tuple[str, str | None]:
    """The group and the component that an override chooses; an empty group if it sets a value."""
    value = item.value()
    for group, (_, words, _) in CHOICES.items():
        if _key(item) in (group, *words) and (value is None or isinstance(value, str)):
            return group, None if value in (None, "null") else str(value)
    return "", None


def _file_choices(values: Values) -> dict[str, str | None]:
    """Which component each group takes, as the file says; the words that say so are taken out of `values`."""
    chosen: dict[str, str | None] = {}
    for section, key in (("loss", "function"), ("optimizer", "type")):
        if values.get(section):
            chosen[section] = values[section].pop(key)
        elif section in values:
            del values[section]
    scheduler = (values.get("optimizer") or {}).pop("lr_scheduler", None)
    if scheduler:
        chosen["scheduler@optimizer.lr_scheduler"] = scheduler.pop("type")
        values["optimizer"]["lr_scheduler"] = scheduler
    data = values.get("data")
    if isinstance(data, dict):
        types = side_types(data)
        chosen |= {"data": types["input"], "target@data": types["target"]}
        for key in ("type", "input_type", "target_type"):
            data.pop(key, None)
    if values.get("checkpoints") is None:
        values.pop("checkpoints", None)
    return chosen


def _forget_keys(
    values: Values, chosen: Mapping[str, str | None], parsed: Sequence[Override], spec: Spec | None
) -> list[Problem]:
    """Where the command line chose another component, drops the file's keys that only the former one knew."""
    notices: list[Problem] = []
    for group in {group for group, _ in map(_choice, parsed) if group}:
        kind, _, path = CHOICES[group]
        section = values
        for part in path.split("."):
            section = section.get(part) or {}
        if path == "data":
            found = {side: catalog.find("source", chosen.get(name) or "") for side, name in _SIDES.items()}
            form = data_form({side: source for side, source in found.items() if source})
        else:
            component = catalog.find(kind, chosen[group] or "")
            form = component or Form("nothing", "")
        for key in [key for key in section if key not in (*form.parameters, "lr_scheduler", *TRANSFORM_LISTS)]:
            del section[key]
            message = f"left out, since the command line chose {chosen[group]}, which has no such key"
            notice = Problem(f"{path}.{key}", message)
            notices.append(spec.located(notice) if spec else notice)
    return notices


_SIDES = {"input": "data", "target": "target@data"}


def _experiment(values: Values, chosen: Mapping[str, str | None]) -> Values:
    """The file as a Hydra experiment: what it chooses, then what it sets."""
    choices = [{f"override /{group}": name and name.lower()} for group, name in chosen.items()]
    return {"defaults": [*choices, "_self_"], **_literal(values)}


def _arguments(item: Override) -> list[str]:
    """An override for Hydra; a key that `conf/` does not have is added, for our own check to judge."""
    text = str(item.input_line)
    return [text if text.startswith(("~", "+")) else f"++{text}"]


def _with_hydra(experiment: Values, arguments: Sequence[str]) -> Values:
    ConfigStore.instance().store(group="experiment", name="file", node=experiment, package="_global_")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("rmldnn.conf", version_base="1.3"):
            composed = hydra_compose("config", overrides=["+experiment=file", *arguments])
        plain = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(Problem("", str(error).splitlines()[0], COMMAND_LINE)) from error
    assert isinstance(plain, dict)  # noqa: S101 - what composing a mapping gives
    return {key: _without_missing(value) for key, value in plain.items() if value != "???"}  # type: ignore[misc]


def _literal(value: Any) -> Any:
    """A file's values as OmegaConf must read them: `${...}` in a file is text, not a reference to run."""
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _without_missing(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_missing(item) for key, item in value.items() if not (isinstance(item, str) and item == "???")
        }
    return value


def _given(config: Values) -> Values:
    """The composed configuration as the check wants it: sections that chose nothing are absent."""
    given = dict(config)
    for section, key in (("loss", "function"), ("optimizer", "type")):
        if not (given.get(section) or {}).get(key) and not any((given.get(section) or {}).values()):
            given.pop(section, None)
    return given


def _located(problem: Problem, parsed: Sequence[Override], spec: Spec | None) -> Problem:
    key = problem.path
    for item in parsed:
        words = {str(item.key_or_group), *next((c[1] for g, c in CHOICES.items() if g == _key(item)), ())}
        if any(f"{key}.".startswith(f"{word}.") or f"{word}.".startswith(f"{key}.") for word in words):
            return dataclasses.replace(problem, place=COMMAND_LINE)
    return spec.located(problem) if spec else problem


def _copy(value: Any) -> Any:
    """A copy of everything but the layers, which can be long and are never changed."""
    if isinstance(value, dict):
        return {key: item if key == "layers" else _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def job(config: Mapping[str, Any]) -> Values:
    """The composed configuration as a tree of `_target_` nodes for `hydra.utils.instantiate`.

    Components that need something from the run (a loss its output, an optimizer its parameters) become partials.
    """
    data = config["data"]
    found, _ = sources(data)
    sides = [_source(found.get(side), data, side) for side in ("input", "target")]
    lists = [[_transform(item) for item in data.get(name) or ()] for name in TRANSFORM_LISTS]
    nodes: Values = {
        "data": {**_node(catalog.only("data"), data), "_args_": [*sides, *lists]},
        "predictions": _node(catalog.only("predictions"), data),
        "checkpoints": _node(catalog.only("checkpoints"), config.get("checkpoints") or {}),
        "loss": None,
        "optimizer": None,
        "scheduler": None,
    }
    optimizer = config.get("optimizer") or {}
    for name, group, section, key in (
        ("loss", "loss", config.get("loss"), "function"),
        ("optimizer", "optimizer", optimizer, "type"),
        ("scheduler", "scheduler", optimizer.get("lr_scheduler"), "type"),
    ):
        if section and section.get(key):
            form = catalog.find(group, section[key])
            assert form is not None  # noqa: S101 - the check has seen it
            nodes[name] = {**_node(form, section), "_partial_": True}
    return nodes


def _node(form: Form, values: Mapping[str, Any]) -> Values:
    return {"_target_": form.target, **{key: values[key] for key in form.parameters if key in values}}


def _source(form: Form | None, data: Values, side: str) -> Values | None:
    if form is None:
        return None
    own = {key: data.get(f"{side}_{key}", data.get(key)) for key in form.parameters}
    present = {key: value for key, value in own.items() if key in data or f"{side}_{key}" in data}
    return {**_node(form, present), "_partial_": True}


def _transform(item: Any) -> Values:
    form, given = transform(item)
    assert form is not None  # noqa: S101 - the check has seen it
    return _node(form, given)
