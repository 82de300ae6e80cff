"""From a checked configuration and the command line to one Hydra job; the only writer of `_target_`.

A configuration file is one Hydra experiment: a defaults list that chooses the components, and values. Hydra composes
`conf/` < file < command line; the result still speaks the words of the file, is checked once more, and only then
becomes a tree of `_target_` nodes, whose targets come from the catalog and from nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmldnn.component import Form, Parameter, show
from rmldnn.config import catalog, groups, hydras, overrides, parts
from rmldnn.config.check import PARAMETERS, check, term
from rmldnn.config.gan import needs_no_targets
from rmldnn.config.groups import GROUPS, INPUT, NETWORK, SCHEDULER, TARGET, Named
from rmldnn.config.keys import Values
from rmldnn.config.overrides import Changes
from rmldnn.config.samples import PATHLESS, SLICERS, TRANSFORM_LISTS, data_form, side_types, sources, transform
from rmldnn.config.spec import Spec
from rmldnn.errors import COMMAND_LINE, ConfigError, DataError, Problem
from rmldnn.types import describe

_INLINE = "<layers of the file>"


@dataclass(frozen=True)
class Composed:
    """What a run starts from.

    Args:
        values: The whole configuration with every default filled in, in the words of the file.
        notices: Keys that were left out because the command line chose another component.
        spec: The file, if there is one.
        changes: The command line.
    """

    values: Values
    notices: Sequence[Problem]
    spec: Spec | None
    changes: Changes

    def located(self, problem: Problem) -> Problem:
        """The problem with its place: a line of the file, or the command line."""
        return _located(problem, self.spec, self.changes)

    @contextmanager
    def places(self) -> Iterator[None]:
        """Gives problems that components find later the place that they are about: a line of the file, for instance."""
        try:
            yield
        except ConfigError as error:
            problems = [
                _located(problem, self.spec, self.changes) if problem.path else problem for problem in error.problems
            ]
            raise type(error)(problems) from error
        except DataError as error:
            path, _, message = str(error).partition(": ")
            if not path.startswith("data."):  # it names a file instead
                raise
            raise DataError(str(_located(Problem(path, message), self.spec, self.changes))) from error


def compose(spec: Spec | None, texts: Sequence[str] = ()) -> Composed:
    """Composes `conf/`, a configuration and the command line, and checks the result.

    Args:
        spec: The checked file; None if the command line is all there is.
        texts: `optimizer.learning_rate=0.02`, `loss=mse`, ... in Hydra's grammar.

    Raises:
        ConfigError: An override cannot be understood, or the composed configuration is wrong.
    """
    values = _copy(spec.values) if spec else {}
    values.pop("sweep", None)  # it is about many runs, and this is one
    changes = overrides.parse(texts, Path(spec.document.name).parent if spec else Path())
    chosen = groups.choices(values)
    notices: list[Problem] = []
    for named in changes.named:
        values, chosen = _with_named(values, chosen, named, notices)
    chosen |= changes.choices
    if spec and spec.document.lines:
        chosen.setdefault(INPUT, None)  # a file says what its data is; only without one that is `images` by default
    notices += _forget(values, chosen, changes)
    notices += _choose_parts(values, changes)
    notices = [spec.located(item) if spec else item for item in notices]
    for path, items in changes.lists.items():
        section, _, key = path.rpartition(".")
        (values.setdefault(section, {}) if section else values)[key] = items
    layers = values.get("layers")
    if isinstance(layers, (list, dict)):
        values["layers"] = _INLINE
    config = hydras.composed({groups.DEFAULTS: groups.defaults(chosen), **hydras.literal(values)}, changes.arguments)
    if config.get("layers") == _INLINE:
        config["layers"] = layers
    config["layers"] = overrides.with_parts(config.get("layers"), changes)
    alone = {(problem.path, problem.message): problem for problem in spec.unfinished} if spec else {}
    problems = [
        alone.get((problem.path, problem.message)) or _located(problem, spec, changes) for problem in check(config)
    ]
    if problems:
        raise ConfigError(problems)
    return Composed(config, notices, spec, changes)


def _located(problem: Problem, spec: Spec | None, changes: Changes) -> Problem:
    if not problem.place and changes.concern(problem.path):
        return dataclasses.replace(problem, place=COMMAND_LINE)
    for named in reversed(changes.named):
        if not problem.place and _is_of(problem.path, named.values):
            return dataclasses.replace(problem, place=named.at(problem.path))
    return spec.located(problem) if spec else problem


def _is_of(path: str, named: Values) -> bool:
    """Whether a file of a group sets the value at a path, or chooses the component of the section there."""
    leaves = list(groups.leaves(named))
    chosen = {GROUPS[group].section for group in groups.choices(_copy(named))} - {"data"}  # which is not of it alone
    return path in chosen or any(f"{path}.".startswith(f"{leaf}.") for leaf in leaves)


def _with_named(
    values: Values, chosen: dict[str, str | None], named: Named, notices: list[Problem]
) -> tuple[Values, dict[str, str | None]]:
    """What the file says, and a file of a group over it."""
    over = _copy(named.values)
    choices = groups.choices(over)
    changes = Changes(choices, paths=list(groups.leaves(over)))
    notices += _forget(values, chosen | choices, changes, f"{'the ' * named.place.startswith('preset ')}{named.place}")
    merged: Values = groups.merged(values, over)
    return merged, chosen | choices


def _forget(
    values: Values, chosen: dict[str, str | None], changes: Changes, whose: str = "the command line"
) -> Iterator[Problem]:
    """Drops what the command line takes away, and keys of the file that only a component knew that it replaces."""
    for section in changes.dropped:
        values.pop(section, None)
    yield from _other_network(values, chosen, changes)
    if "optimizer" in changes.choices and changes.choices["optimizer"] is None:
        chosen[SCHEDULER] = None
        values.pop("optimizer", None)
    for group, name in changes.choices.items():
        kind, path = GROUPS[group].kind, GROUPS[group].section
        *parents, last = path.split(".")
        parent = values
        for part in parents:
            parent = parent.get(part, {})
        if (name is None and path != "data") or isinstance(parent.get(last), list):
            parent.pop(last, None)
            continue
        known = _known_keys(kind, path, chosen, name)
        yield from _leave_out(parent.get(last, {}), known, path, f"{whose} chose {name or 'none'}")


def _other_network(values: Values, chosen: dict[str, str | None], changes: Changes) -> Iterator[Problem]:
    """A family that the command line chooses replaces the file's layers; layers replace the file's family."""
    family = changes.choices.get(NETWORK)
    if family and values.get("layers") is not None:
        del values["layers"]
        yield Problem("layers", f"left out, since the command line chose {family}")
    elif not family and "network" in values and "layers" in changes.paths and "layers" not in changes.dropped:
        del values["network"]
        chosen[NETWORK] = None
        yield Problem("network", "left out, since the command line chose other layers")
    network = values.get("network")
    for part, layers in changes.layers.items():
        if layers is not None and parts.in_parts(network) and network.pop(part, None):
            yield Problem(f"network.{part}", "left out, since the command line chose other layers")
            if not network:
                del values["network"]


def _choose_parts(values: Values, changes: Changes) -> Iterator[Problem]:
    """Gives single networks of a pair the components that the command line names, without keys of former ones."""
    for path, name in changes.parts.items():
        section, part = path.split(".")
        own = values.setdefault(section, {}).setdefault(part, {})
        own.pop(GROUPS[section].key, None)
        known = _known_keys(GROUPS[section].kind, path, {}, name)
        yield from _leave_out(own, known, path, f"the command line chose {name}")
        own[GROUPS[section].key] = name


def _leave_out(section: Values, known: Mapping[str, Parameter | None], path: str, why: str) -> Iterator[Problem]:
    """Drops what a newly chosen component does not have, or has by the same name and of another type."""
    for key, value in list(section.items()):
        parameter = known.get(key)
        if key not in known:
            reason = "which has no such key"
        elif parameter and not parameter.accepts(value):
            reason = f"where it must be {describe(parameter.annotation)}, got {show(value)}"
        else:
            continue
        del section[key]
        yield Problem(f"{path}.{key}", f"left out, since {why}, {reason}")


def _known_keys(
    kind: str, path: str, chosen: Mapping[str, str | None], name: str | None
) -> Mapping[str, Parameter | None]:
    """Keys of the component that is chosen, and of its section."""
    if path == "data":
        sides = {"input": chosen.get(INPUT), "target": chosen.get(TARGET)}
        found = {side: catalog.find("source", source or "") for side, source in sides.items()}
        form = data_form({side: source for side, source in found.items() if source})
        return {**form.parameters, **dict.fromkeys((*TRANSFORM_LISTS, SLICERS))}
    component = catalog.find(kind, name or "")
    return {**(component.parameters if component else {}), **dict.fromkeys(("lr_scheduler", PARAMETERS))}


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
    if needs_no_targets(config) and not data.get("target_path") and side_types(data)["target"] not in PATHLESS:
        found.pop("target", None)
    sides = [_source(found.get(side), data, side) for side in ("input", "target")]
    lists = [[_transform(item) for item in data.get(name) or ()] for name in TRANSFORM_LISTS]
    slicers = [_node(catalog.only("slicer"), item) for item in data.get(SLICERS) or ()]
    optimizer, network = config.get("optimizer") or {}, config.get("network")
    loss, stopping = config.get("loss"), config.get("early_stopping")
    losses = [term(item) if isinstance(loss, list) else (1.0, item) for item in listed(loss)]
    return {
        "task": _named("task", config.get("task") or {"type": "dnn"}),
        "network": parts.each(network, lambda section: _partial("zoo", "type", section)),
        "data": {**_node(catalog.only("data"), data), "_args_": [*sides, *lists, slicers]},
        "predictions": _node(catalog.only("predictions"), data),
        "checkpoints": _node(catalog.only("checkpoints"), config.get("checkpoints") or {}),
        "compute": _node(catalog.only("compute"), config),
        "engine": {**_node(catalog.only("engine"), config.get("engine") or {}), "_args_": [config.get("deepspeed")]},
        "stopping": _node(catalog.only("early_stopping"), stopping)
        if (stopping := config.get("early_stopping"))
        else None,
        "multigrid": _node(catalog.only("multigrid"), grid) if (grid := config.get("multigrid")) else None,
        "losses": [(factor, _partial("loss", "function", keys)) for factor, keys in losses],
        "optimizer": parts.each(optimizer, lambda section: _partial("optimizer", "type", section)),
        "schedules": parts.each(
            optimizer,
            lambda section: [_partial("scheduler", "type", item) for item in listed(section.get("lr_scheduler"))],
        ),
        "metrics": [
            _partial("metric", "name", {"name": item} if isinstance(item, str) else item)
            for item in config.get("metrics") or ()
        ],
        "trackers": [
            _partial("tracker", "type", {"type": item} if isinstance(item, str) else item)
            for item in listed(config.get("tracking"))
        ],
    }


def listed(section: Any) -> list[Any]:
    """A section of the configuration that may be one object or a list of them, or absent, as a list."""
    return section if isinstance(section, list) else [section] if section else []


def _partial(group: str, key: str, section: Mapping[str, Any] | None) -> Values | None:
    """The component that a section names, which gets something from the run; None if it names none."""
    if not section or not section.get(key):
        return None
    return {**_named(group, section, key), "_partial_": True}


def _named(group: str, section: Mapping[str, Any], key: str = "type") -> Values:
    """The component that a section names."""
    form = catalog.find(group, section[key])
    assert form is not None  # noqa: S101 - the check has seen it
    return _node(form, {**form.defaults, **section})  # items of lists have not seen `conf/`


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
