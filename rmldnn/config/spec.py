"""A configuration file, read and checked: every fault at once, each with file and line."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmldnn.component import near_miss, show
from rmldnn.config import catalog
from rmldnn.config.check import NAMED, check_sections, check_together
from rmldnn.config.groups import ROOT, into_words, is_hydras
from rmldnn.config.keys import Values
from rmldnn.config.parts import PARTS, in_parts
from rmldnn.config.reader import Document, Location, dotted, read
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem

HYDRAS = "config.yaml"
"""The file of a folder that stands for it, as `rmldnn translate` writes it."""
EDITORS_KEY = "$schema"
"""Stands beside it in files that an editor judges by `rmldnn schema`; means nothing to a run."""
ALIASES: Mapping[Location, str] = {("data", "testing_tag"): "test_tag"}
"""Other spellings in files of the original, by location; the new name is the one used from here on."""


@dataclass
class Spec:
    """A checked configuration.

    Args:
        values: The content of `neural_network`, in the words of the file, aliases resolved.
        document: Where it came from, for the places of later messages.
        warnings: Faults that `lenient` let pass; what they concern was removed from `values`.
        unfinished: Faults of the file by itself that the command line may mend: what is missing, and what sections ask
            of each other.
    """

    values: Values
    document: Document
    warnings: list[Problem] = field(default_factory=list)
    unfinished: list[Problem] = field(default_factory=list)

    def located(self, problem: Problem) -> Problem:
        """The problem with the line of the file that its path points to."""
        if problem.place:
            return problem
        known = (*self.document.lines, *self.document.elsewhere)
        places = {dotted(location[1:]): location for location in known if location[:1] == (ROOT,)}
        path = problem.path
        while path and path not in places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return dataclasses.replace(problem, place=self.document.place(places.get(path, (ROOT,))))


def load(
    path: str | Path | None, *, task: str | None = None, lenient: bool = False, changes: Sequence[str] = ()
) -> Spec:
    """Reads and checks a configuration file.

    Args:
        path: JSON, YAML, or a folder with a `config.yaml`; None if the command line is all there is, which is checked
            when it has been composed.
        task: What `--app` says, which takes the place of what the file says; see `task` in the reference of keys.
        lenient: Unknown and repeated keys are warnings; unknown ones are then left out.
        changes: What the command line changes; with such, what is missing here is told when all has been composed.

    Raises:
        ConfigError: Anything is wrong; carries all problems.
    """
    if path is None:
        nothing = Spec({}, Document(COMMAND_LINE, {ROOT: {}}))
        if task is not None:
            _set_task(nothing.values, task)
        return nothing
    return judged(read(file_of(path)), task=task, lenient=lenient, changes=changes)


def file_of(path: str | Path) -> Path:
    """The file that a path means: itself, or the one that stands for a folder."""
    inside = Path(path) / HYDRAS
    return inside if inside.is_file() else Path(path)


def judged(document: Document, *, task: str | None = None, lenient: bool = False, changes: Sequence[str] = ()) -> Spec:
    """Checks what was read of a configuration file; see `load`."""
    if is_hydras(document):
        into_words(document)
    spec = Spec(_content(document), document)
    _resolve_aliases(spec)
    _spell_out(spec.values)
    if task is not None:
        _set_task(spec.values, task)
    found = [*map(spec.located, check_sections(spec.values))]
    spec.unfinished = [problem for problem in found if problem.absent]
    spec.unfinished += map(spec.located, check_together(spec.values))
    found = [problem for problem in found if not problem.absent] + ([] if changes else spec.unfinished)
    problems = sorted([*map(_inside, document.problems), *found], key=_line)
    fatal = [problem for problem in problems if not (lenient and problem.mild)]
    if fatal:
        raise ConfigError(fatal)
    spec.warnings = problems
    _remove(spec.values, {(problem.path[: -len(problem.key)].rstrip("."), problem.key) for problem in found})
    return spec


def _set_task(values: Values, task: str) -> None:
    """Lets the command line name the task; keys of the file's own task go with it.

    Raises:
        ConfigError: There is no such task.
    """
    if catalog.find("task", task) is None:
        raise ConfigError(Problem("--app", catalog.absent("task", task), COMMAND_LINE))
    given = values.get("task")
    if not isinstance(given, dict) or str(given.get("type")).lower() != task.lower():
        values["task"] = {"type": task}


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
        if key not in (ROOT, EDITORS_KEY):
            document.record((key,), document.lines[(key,)], f"`{key}`: only `{ROOT}` can stand here", mild=True)
    return {key: item if key == "layers" else copy.deepcopy(item) for key, item in value[ROOT].items()}


def _resolve_aliases(spec: Spec) -> None:
    for (section, old), new in ALIASES.items():
        values = spec.values.get(str(section))
        if isinstance(values, dict) and old in values:
            line = spec.document.lines[(ROOT, section, old)]
            if new in values:
                spec.document.record((section, old), line, f"`{old}` and `{new}` mean the same; remove one", mild=True)
            values.setdefault(new, values.pop(old))
            spec.document.lines.setdefault((ROOT, section, new), line)


def _spell_out(values: Values) -> None:
    """Makes the object of a component that is only named: `"loss": "MSE"` is `"loss": {"function": "MSE"}`."""
    optimizer, network = values.get("optimizer"), values.get("network")
    sections = [values, optimizer if isinstance(optimizer, dict) else {}]
    for parted in (section for section in (optimizer, network) if in_parts(section)):
        for name in PARTS:
            if isinstance(parted.get(name), str):
                parted[name] = {"type": parted[name]}
            sections += [parted[name]] if isinstance(parted.get(name), dict) else []
    for section in sections:
        for name, key in NAMED.items():
            given = section.get(name)
            if isinstance(given, str):
                section[name] = {key: given}
            elif isinstance(given, list):
                section[name] = [{key: item} if isinstance(item, str) else item for item in given]


def _remove(values: Any, unknown: set[tuple[str, str]], location: Location = ()) -> None:
    """Deletes unknown keys, given by the path of their section and the key itself, which may hold dots."""
    if isinstance(values, dict):
        place = dotted(location)
        for key in [key for key in values if (place, key) in unknown]:
            del values[key]
        for key, value in values.items():
            _remove(value, unknown, (*location, key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            _remove(value, unknown, (*location, index))
