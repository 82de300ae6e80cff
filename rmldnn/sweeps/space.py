"""The search space of a sweep: its parameters, from the section `sweep` and from the command line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmldnn.component import show
from rmldnn.config import overrides, translate
from rmldnn.config.domains import Choices, Domain, Range, domain
from rmldnn.config.keys import Values
from rmldnn.config.samples import tests, trains
from rmldnn.config.spec import Spec
from rmldnn.config.sweep import SECTION, check_sweep, split
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem
from rmldnn.sweeps.faults import Faults
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
        faults: Where all of this is written.
    """

    settings: Values
    space: Space
    changes: Sequence[str]
    base: Values
    faults: Faults


def read(spec: Spec, texts: Sequence[str]) -> Wanted:
    """Understands a sweep, and tries what each of its values means for the configuration.

    Args:
        spec: The file; its section `sweep` is read.
        texts: The command line: `optimizer=adam,sgd`, `sweep.num_trials=20`, `num_epochs=3`; counts more than the file.

    Raises:
        ConfigError: With every problem, of every value.
    """
    section, own, changes = _section(spec, texts)
    faults = Faults(spec, own)
    problems = [faults.placed(problem) for problem in check_sweep(section)]
    settings, parameters = split(section)
    if not parameters and not problems:
        translate.compose(spec, changes)  # which tells of texts that were meant to name several values
        message = 'has no parameters; name several values, optimizer=adam,sgd, or write "sweep": {"optimizer": [...]}'
        raise ConfigError(Problem(SECTION, message, spec.document.name))
    settings, parameters = (_sound(one, problems) for one in (settings, parameters))
    space = Space({path: domain(given) for path, given in parameters.items()})
    unsayable = [faults.placed(item) for item in _unsayable(space)]
    problems += unsayable
    base: Values = {}
    try:
        base = {} if unsayable else _composed(spec, space, changes, faults)
        problems += [faults.placed(item) for item in _senseless(sweep(**settings), space, base)] if base else []
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return Wanted(settings, space, changes, base, faults)


def _sound(given: Values, problems: Sequence[Problem]) -> Values:
    """What is not wrong, and can be looked at all the same."""
    paths = [f"{problem.path}.".replace("[", ".[") for problem in problems]
    words = {key: f"{SECTION}.{key.removeprefix(f'{SECTION}.')}." for key in given}
    return {key: value for key, value in given.items() if not any(path.startswith(words[key]) for path in paths)}


def has_parameters(spec: Spec, texts: Sequence[str]) -> bool:
    """Whether there is anything to sweep over, in the file or on the command line."""
    section, _, _ = _section(spec, texts)
    return bool(split(section)[1])


def _section(spec: Spec, texts: Sequence[str]) -> tuple[Values, Values, list[str]]:
    """The section `sweep` with what the command line says of it, which is that, and its other texts.

    Raises:
        ConfigError: A text cannot be understood.
    """
    rest, listed = overrides.sweeps(texts)
    mine = [text for text in rest if f"{_key(text)}.".startswith(f"{SECTION}.")]
    changes = [text for text in rest if text not in mine]
    fixed = {_key(text) for text in changes}
    section = {key: value for key, value in (spec.values.get(SECTION) or {}).items() if key not in fixed}
    own: Values = {}
    for text in mine:
        key = _key(text).removeprefix(SECTION).lstrip(".")
        value = None if text.startswith("~") else overrides.values([text]).popitem()[1]
        if not key and isinstance(value, dict):
            own |= value
        elif not key and value is None:
            section, own = {}, {}
        elif not key:
            message = f"must be an object such as {{num_trials: 20}}, got {show(value)}"
            raise ConfigError(Problem(SECTION, message, COMMAND_LINE))
        elif not text.startswith("~"):
            own[key] = value
        elif key in section or key in own:
            section, own = ({word: given for word, given in one.items() if word != key} for one in (section, own))
        else:
            raise ConfigError(Problem(f"{SECTION}.{key}", "is not there, so it cannot be taken away", COMMAND_LINE))
    own |= listed
    return {**section, **own}, own, changes


def _unsayable(space: Space) -> Iterator[Problem]:
    """Values that no command line of a trial can say."""
    for path, item in space.domains.items():
        for value in item.values if isinstance(item, Choices) else ():
            if not overrides.sayable(value):
                message = f"cannot hand {show(value)} to a run; keys of objects have to be plain words"
                yield Problem(f"{SECTION}.{path}", message)


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


def _composed(spec: Spec, space: Space, changes: Sequence[str], faults: Faults) -> Values:
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
                told = faults.explained(problem, space.domains)
                is_range = isinstance(space.domains.get(told.path.removeprefix(f"{SECTION}.")), Range)
                problems.setdefault(told.path if is_range else str(told), told)  # of both bounds, one will do
    if problems:
        raise ConfigError(problems.values())
    return base
