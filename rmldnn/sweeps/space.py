"""The search space of a sweep: its parameters, from the section `sweep` and from the command line."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmldnn.config import overrides, translate
from rmldnn.config.domains import Choices, Domain, Range, domain
from rmldnn.config.keys import Values
from rmldnn.config.overrides import COMMAND_LINE
from rmldnn.config.samples import tests, trains
from rmldnn.config.spec import Spec
from rmldnn.config.sweep import SECTION, check_sweep, split
from rmldnn.errors import ConfigError, Problem
from rmldnn.sweeps.settings import Settings, sweep


@dataclass(frozen=True)
class Space:
    """What is tried.

    Args:
        domains: The values of each parameter, by its path in the configuration.
    """

    domains: Mapping[str, Domain]

    @property
    def size(self) -> int | None:
        """Number of combinations; None if there are ranges."""
        lists = [item.values for item in self.domains.values() if isinstance(item, Choices)]
        return math.prod(map(len, lists)) if len(lists) == len(self.domains) else None

    def grid(self) -> Iterator[Values]:
        """All combinations of lists, in the order of Hydra's: the last parameter changes first."""
        lists = [item.values for item in self.domains.values() if isinstance(item, Choices)]
        for values in itertools.product(*lists):
            yield dict(zip(self.domains, values, strict=True))

    def probes(self) -> Iterator[Values]:
        """Assignments that show every value of a list and the bounds of every range, beside the first of all others."""
        first = {path: item.probes[0] for path, item in self.domains.items()}
        yield first
        for path, item in self.domains.items():
            for value in item.probes[1:]:
                yield {**first, path: value}


def assigned(values: Mapping[str, Any]) -> list[str]:
    """Values of parameters in the words of a command line."""
    return [f"{path}={overrides.spelt(value)}" for path, value in values.items()]


@dataclass(frozen=True)
class Wanted:
    """A sweep as a user wants it.

    Args:
        settings: Keys of the section `sweep` that are settings.
        space: Its parameters.
        changes: What the command line sets besides, for each trial.
        base: The composed configuration of the first trial.
    """

    settings: Values
    space: Space
    changes: Sequence[str]
    base: Values


def read(spec: Spec, texts: Sequence[str]) -> Wanted:
    """Understands a sweep, and tries what each of its values means for the configuration.

    Args:
        spec: The file; its section `sweep` is read.
        texts: The command line: `optimizer=adam,sgd`, `sweep.num_trials=20`, `num_epochs=3`; counts more than the file.

    Raises:
        ConfigError: With every problem, of every value.
    """
    rest, listed = overrides.sweeps(texts)
    changes = [text for text in rest if not _key(text).startswith(f"{SECTION}.")]
    own = _settings([text for text in rest if text not in changes])
    fixed = {_key(text) for text in changes}
    section = {key: value for key, value in (spec.values.get(SECTION) or {}).items() if key not in fixed}
    words = {*own, *listed}
    problems = list(check_sweep({**section, **own, **listed}))
    if problems:
        raise ConfigError([_placed(problem, problem.path, words, spec) for problem in problems])
    settings, parameters = split({**section, **own, **listed})
    if not parameters:
        message = 'has no parameters; name several values, optimizer=adam,sgd, or write "sweep": {"optimizer": [...]}'
        raise ConfigError(Problem(SECTION, message, spec.document.name))
    space = Space({path: domain(given) for path, given in parameters.items()})
    base = _tried(spec, space, changes, set(listed))
    problems = [_placed(item, item.path, words, spec) for item in _senseless(sweep(**settings), space, base)]
    if problems:
        raise ConfigError(problems)
    return Wanted(settings, space, changes, base)


def _senseless(settings: Settings, space: Space, base: Values) -> Iterator[Problem]:
    """What settings, parameters and the configuration ask of each other."""
    monitor = settings.monitor.lower()
    if not trains(base["data"]):
        yield Problem("data", "there is no training set (`input_path`), so there is nothing to sweep")
    elif monitor.startswith("test_") and not tests(base["data"]):
        message = f"this run has no `{settings.monitor}`, as there is no test set (`data.test_input_path`)"
        yield Problem(f"{SECTION}.monitor", message)
    for path in space.domains:
        if path.partition(".")[0] == "loss" and monitor.endswith("_loss"):
            message = f"values of different losses do not compare; `monitor` is `{settings.monitor}`, take a metric"
            yield Problem(f"{SECTION}.{path}", f"{message} such as `test_accuracy`")
    if settings.sampler == "grid":
        for path, item in space.domains.items():
            if isinstance(item, Range):
                yield Problem(f"{SECTION}.{path}", "is a range, and a grid needs lists; list its values")


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


def _settings(texts: Iterable[str]) -> Values:
    """`sweep.num_trials=20` of a command line as keys of the section."""
    return {path.removeprefix(f"{SECTION}."): value for path, value in overrides.values(list(texts)).items()}


def _tried(spec: Spec, space: Space, changes: Sequence[str], listed: set[str]) -> Values:
    """The composed configuration of the first probe, after a look at those of all.

    Raises:
        ConfigError: Values that the configuration does not take.
    """
    base: Values = {}
    problems: dict[str, Problem] = {}
    for probe in space.probes():
        try:
            composed = translate.compose(spec, [*changes, *assigned(probe)])
            base = base or composed.values
        except ConfigError as error:
            for problem in error.problems:
                told = _explained(problem, probe, space, listed, spec)
                is_range = isinstance(space.domains.get(told.path.removeprefix(f"{SECTION}.")), Range)
                problems.setdefault(told.path if is_range else str(told), told)  # of both bounds, one will do
    if problems:
        raise ConfigError(problems.values())
    return base


def _explained(problem: Problem, probe: Values, space: Space, listed: set[str], spec: Spec) -> Problem:
    """A problem of the composed configuration as one of the parameter that it is about, if it is about one."""
    paths = [path for path in probe if path == problem.path] or [
        path for path in probe if f"{problem.path}.".startswith(f"{path}.") or f"{path}.".startswith(f"{problem.path}.")
    ]
    if not paths or not problem.path:
        return problem
    path, message = paths[0], problem.message
    item = space.domains[path]
    if isinstance(item, Range) and not item.whole and "integer" in message:
        message += f"; a range of whole numbers is `{'log_integer' if item.log else 'integer'}`"
    inner = f" (with {problem.path})" if problem.path != path else ""
    return _placed(Problem(f"{SECTION}.{path}", message + inner), f"{SECTION}.{path}", listed, spec)


def _placed(problem: Problem, path: str, listed: set[str], spec: Spec) -> Problem:
    """The problem with its place: the command line, or a line of the file."""
    own = path.removeprefix(f"{SECTION}.")
    known = [word for word in (*listed, *(spec.values.get(SECTION) or ())) if f"{own}.".startswith(f"{word}.")]
    if max(known, key=len, default="") in listed:
        return dataclasses.replace(problem, place=COMMAND_LINE)
    return spec.located(problem)
