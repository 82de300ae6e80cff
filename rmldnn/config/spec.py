"""What a configuration may say: every fault of a file at once, each with its place and a way out.

A section of the file (`data`, `loss`, ...) accepts the keys of one or more components; a key of the section such as
`function` or `type` chooses which. The same check judges the file as written and the composed configuration, so that
nothing slips past through a group file or the command line.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmldnn.component import Form, misspelt, near_miss, show, unknown_key
from rmldnn.config import catalog
from rmldnn.config.reader import Document, Location, dotted, read
from rmldnn.errors import ConfigError, Problem

Values = dict[str, Any]

ROOT = "neural_network"
SECTIONS = ("data", "loss", "optimizer", "checkpoints")
TRANSFORM_LISTS = ("transforms", "input_transforms", "target_transforms")
ALIASES: Mapping[Location, str] = {("data", "testing_tag"): "test_tag"}
"""Other spellings in files of the original, by location; the new name is the one used from here on."""


@dataclass
class Spec:
    """A checked configuration.

    Args:
        values: The content of `neural_network`, in the words of the file, aliases resolved.
        document: Where it came from, for the places of later messages.
        warnings: Faults that `lenient` let pass; what they concern was removed from `values`.
    """

    values: Values
    document: Document
    warnings: list[Problem] = field(default_factory=list)

    def located(self, problem: Problem) -> Problem:
        """The problem with the line of the file that its path points to."""
        if problem.place:
            return problem
        places = {dotted(location[1:]): location for location in self.document.lines if location[:1] == (ROOT,)}
        path = problem.path
        while path and path not in places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return dataclasses.replace(problem, place=self.document.place(places.get(path, (ROOT,))))

    @contextmanager
    def places(self) -> Iterator[None]:
        """Gives problems that are found later, by components, the lines of the file that they are about."""
        try:
            yield
        except ConfigError as error:
            raise type(error)(
                self.located(problem) if problem.path else problem for problem in error.problems
            ) from error


def load(path: str | Path, *, lenient: bool = False) -> Spec:
    """Reads and checks a configuration file.

    Args:
        path: JSON or YAML.
        lenient: Unknown and repeated keys are warnings; unknown ones are then left out.

    Raises:
        ConfigError: Anything is wrong; carries all problems.
    """
    document = read(path)
    spec = Spec(_content(document), document)
    _resolve_aliases(spec)
    found = [spec.located(problem) for problem in check(spec.values)]
    problems = sorted([*map(_inside, document.problems), *found], key=_line)
    fatal = [problem for problem in problems if not (lenient and problem.mild)]
    if fatal:
        raise ConfigError(fatal)
    spec.warnings = problems
    _remove(spec.values, {problem.path for problem in found})
    return spec


def _inside(problem: Problem) -> Problem:
    """A problem of the text, its path from `neural_network` on as all others."""
    return dataclasses.replace(problem, path=problem.path.removeprefix(ROOT).removeprefix("."))


def _line(problem: Problem) -> int:
    line = problem.place.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _content(document: Document) -> Values:
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get(ROOT), dict):
        message = f'a configuration is one object {{"{ROOT}": {{...}}}}'
        if isinstance(value, dict) and value:
            message += f"{near_miss(next(iter(value)), [ROOT])}" if ROOT not in value else f", got {show(value[ROOT])}"
        raise ConfigError([*document.problems, Problem("", message, document.place(()))])
    for key in value:
        if key != ROOT:
            document.record((key,), document.lines[(key,)], f"`{key}`: only `{ROOT}` can stand here", mild=True)
    return copy.deepcopy(value[ROOT])


def _resolve_aliases(spec: Spec) -> None:
    for (section, old), new in ALIASES.items():
        values = spec.values.get(str(section))
        if isinstance(values, dict) and old in values:
            line = spec.document.lines[(ROOT, section, old)]
            if new in values:
                spec.document.record((section, old), line, f"`{old}` and `{new}` mean the same; remove one", mild=True)
            values.setdefault(new, values.pop(old))
            spec.document.lines.setdefault((ROOT, section, new), line)


def _remove(values: Any, paths: set[str], location: Location = ()) -> None:
    if not paths or not isinstance(values, (dict, list)):
        return
    for key in list(values) if isinstance(values, dict) else range(len(values)):
        if dotted((*location, key)) in paths:
            del values[key]
        else:
            _remove(values[key], paths, (*location, key))


def check(values: Values) -> Iterator[Problem]:
    """Every problem of a configuration (the content of `neural_network`), paths in its own words."""
    top = _merged("", catalog.only("job"), catalog.only("network"))
    yield from _keys(top, values, "", SECTIONS)
    for name, judge in _JUDGES.items():
        section = values.get(name)
        if section is not None and not isinstance(section, dict):
            yield Problem(name, f"must be an object, got {show(section)}")
        else:
            yield from judge(section)
    yield from _requirements(values)


def choice(values: Values | None, path: str, key: str, group: str) -> tuple[Form | None, list[Problem]]:
    """The component that a section names by `key`, or the problem of a missing or unknown name."""
    if values is None:
        return None, []
    name = values.get(key)
    if name is None:
        missing = Problem(path, f"`{key}` is missing{catalog.suggest(group, '')}")
        return None, [] if misspelt(key, values) else [missing]
    if not isinstance(name, str):
        return None, [Problem(f"{path}.{key}", f"must be a name, got {show(name)}")]
    found = catalog.find(group, name)
    if found is None:
        return None, [Problem(f"{path}.{key}", f"there is no {group} `{name}`{catalog.suggest(group, name)}")]
    return found, []


def _chosen(values: Values | None, path: str, key: str, group: str, also: tuple[str, ...] = ()) -> Iterator[Problem]:
    found, problems = choice(values, path, key, group)
    yield from problems
    if found is not None and values is not None:
        yield from _keys(found, values, path, (key, *also), called=f"{path} {found.name}")


def _loss(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "loss", "function", "loss")


def _checkpoints(values: Values | None) -> Iterator[Problem]:
    yield from _keys(catalog.only("checkpoints"), values or {}, "checkpoints")


def _optimizer(values: Values | None) -> Iterator[Problem]:
    yield from _chosen(values, "optimizer", "type", "optimizer", ("lr_scheduler",))
    scheduler = (values or {}).get("lr_scheduler")
    if scheduler is not None and not isinstance(scheduler, dict):
        yield Problem("optimizer.lr_scheduler", f"must be an object, got {show(scheduler)}")
    else:
        yield from _chosen(scheduler, "optimizer.lr_scheduler", "type", "scheduler")


def side_types(data: Values) -> dict[str, Any]:
    """Names of the input's and the target's source; `type` sets both."""
    both = data.get("type")
    return {side: data.get(f"{side}_type") or both for side in ("input", "target")}


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
            missing = Problem("data", f"`input_type` is missing{catalog.suggest('source', '')}")
            faults = [] if misspelt("input_type", data or ()) else [missing]
        if form is not None and side == "input" and form.name == "labels":
            form, faults = None, [Problem(f"data.{key}", "`labels` can only be a target; set `target_type`")]
        if form is not None:
            found[side] = form
        problems.extend(fault for fault in faults if fault not in problems)
    return found, problems


def data_form(found: Mapping[str, Form]) -> Form:
    """All keys of `data` for given sources: those of a source also with `input_` or `target_` for one side only."""
    form = _merged("data", catalog.only("data"), catalog.only("predictions"), *found.values())
    one_sided = {
        f"{side}_{name}": dataclasses.replace(parameter, name=f"{side}_{name}")
        for side, source in found.items()
        for name, parameter in source.parameters.items()
    }
    return dataclasses.replace(form, parameters={**form.parameters, **one_sided})


def _data(values: Values | None) -> Iterator[Problem]:
    if values is None:
        yield Problem("", "`data` is missing: where samples come from")
        return
    found, problems = sources(values)
    yield from problems
    if problems or "input" not in found:  # which keys are legal is unknown: let those of all sources pass
        found = {side: _merged(side, *catalog.group("source").values()) for side in ("input", "target")}
    keys = ("type", "input_type", "target_type", *TRANSFORM_LISTS)
    yield from _keys(data_form(found), values, "data", keys)
    for name in TRANSFORM_LISTS:
        yield from _transforms(values.get(name), f"data.{name}")


_JUDGES = {"data": _data, "loss": _loss, "optimizer": _optimizer, "checkpoints": _checkpoints}


def transform(item: Values) -> tuple[Form | None, Any]:
    """The component and keys of one item of a list of transforms: `{"resize": [28, 28]}`."""
    ((name, given),) = item.items()
    found = catalog.find("transform", name)
    if found is None or isinstance(given, dict) or len(found.parameters) != 1:
        return found, given
    return found, {next(iter(found.parameters)): given}


def _transforms(items: Any, path: str) -> Iterator[Problem]:
    if items is not None and not isinstance(items, list):
        yield Problem(path, f'must be a list such as [{{"resize": [28, 28]}}], got {show(items)}')
        return
    for index, item in enumerate(items or ()):
        here = f"{path}[{index}]"
        if not isinstance(item, dict) or len(item) != 1:
            yield Problem(here, f'must be an object of one key such as {{"resize": [28, 28]}}, got {show(item)}')
            continue
        found, given = transform(item)
        name = next(iter(item))
        if found is None:
            yield Problem(f"{here}.{name}", f"there is no transform `{name}`{catalog.suggest('transform', name)}")
        elif not isinstance(given, dict):
            keys = ", ".join(f"`{key}`" for key in found.parameters)
            yield Problem(f"{here}.{name}", f"must be an object with keys {keys}, got {show(given)}")
        elif given is item[name]:
            yield from found.check(given, f"{here}.{name}")
        else:
            yield from (dataclasses.replace(fault, path=f"{here}.{name}") for fault in found.check(given, here))


def _merged(name: str, *forms: Form) -> Form:
    parameters = {key: parameter for form in forms for key, parameter in form.parameters.items()}
    return Form(name, "", parameters)


def _keys(form: Form, values: Values, path: str, also: tuple[str, ...] = (), called: str = "") -> Iterator[Problem]:
    """The form's own check, with better words for a key that is known in another place."""
    for problem in form.check(values, path, also=also):
        key = problem.path.rpartition(".")[2]
        if not problem.mild:
            yield problem
        elif elsewhere := _home(key, path):
            yield dataclasses.replace(problem, message=f"`{key}`: unknown key here; {elsewhere}")
        elif called:
            yield dataclasses.replace(unknown_key(key, called, [*form.parameters, *also]), path=problem.path)
        else:
            yield problem


def _home(key: str, path: str) -> str:
    """Where a key that is misplaced belongs."""
    fixed = {"": ("job", "network"), "data": ("data", "predictions"), "checkpoints": ("checkpoints",)}
    for section, groups in fixed.items():
        if section != path and any(key in catalog.only(group).parameters for group in groups):
            return f"it belongs to `{section}`" if section else "it belongs to the top level"
    chosen = {"data": "source", "loss": "loss", "optimizer": "optimizer", "optimizer.lr_scheduler": "scheduler"}
    for section, group in chosen.items():
        owners = [form.name for form in catalog.group(group).values() if key in form.parameters]
        if owners and section == path:
            return f"`{key}` is for {', '.join(owners)}"
        if owners and path == "":
            return f"it belongs to `{section}`"
    if key in SECTIONS and path:
        return "it belongs to the top level"
    if key == "lr_scheduler":
        return "it belongs to `optimizer`"
    return ""


def _requirements(values: Values) -> Iterator[Problem]:
    """What only several keys together can get wrong."""
    data = values.get("data")
    if not isinstance(data, dict):
        return
    target = side_types(data)["target"]
    labelled = isinstance(target, str) and target.lower() == "labels"
    if not data.get("input_path") and not data.get("test_input_path"):
        yield Problem("data", "needs `input_path` to train, `test_input_path` to evaluate or predict, or both")
    if data.get("input_path"):
        for section in ("loss", "optimizer"):
            if values.get(section) is None:
                remedy = f'"{section}": {{"{"function" if section == "loss" else "type"}": "..."}}'
                known = catalog.suggest(section, "").removeprefix("; known here: ")
                yield Problem("", f"`{section}` is missing; training needs {remedy} with one of {known}")
        if target is None:
            yield Problem("data", "`target_type` is missing; training needs targets, such as `labels`")
        elif not labelled and not data.get("target_path"):
            yield Problem("data", f"`target_path` is missing; the targets of type `{target}` lie there")
    if labelled:
        for key in ("target_path", "test_target_path"):
            if data.get(key):
                yield Problem(f"data.{key}", "labels are names of folders in the input's path; remove this key")
    has_test_targets = data.get("test_input_path") and (labelled or data.get("test_target_path"))
    if has_test_targets and not data.get("input_path") and not values.get("loss"):
        yield Problem(
            "", "`loss` is missing; it is needed to evaluate on targets (or leave the targets out to predict)"
        )
    if data.get("test_output_path") and not data.get("test_input_path"):
        yield Problem("data.test_output_path", "there is no `test_input_path` whose predictions could be written")
