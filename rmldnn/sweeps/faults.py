"""Faults of a trial's configuration as those of the sweep: of which parameter, and where it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rmldnn.config.domains import Domain, Range
from rmldnn.config.spec import Spec
from rmldnn.config.sweep import FOLDER, SECTION, own
from rmldnn.errors import COMMAND_LINE, Problem


@dataclass(frozen=True)
class Faults:
    """Where the words of a sweep are written.

    Args:
        spec: The file.
        listed: Settings and parameters that the command line names.
    """

    spec: Spec
    listed: Collection[str]

    def placed(self, problem: Problem) -> Problem:
        """A problem of the section `sweep` with its place: the command line, or a line of the file."""
        path = _items(problem.path.removeprefix(f"{SECTION}."))
        known = [
            word for word in (*self.listed, *(self.spec.values.get(SECTION) or ())) if path.startswith(_items(word))
        ]
        if max(known, key=len, default="") in self.listed:
            return dataclasses.replace(problem, place=COMMAND_LINE)
        return self.spec.located(problem)

    def explained(self, problem: Problem, domains: Mapping[str, Domain]) -> Problem:
        """A problem of a trial as one of the parameter that it is about, if it is about one.

        Args:
            problem: Of the composed configuration.
            domains: The parameters.
        """
        if told := own(problem.path):
            ours = Problem(told, problem.message)
            return dataclasses.replace(ours, place=COMMAND_LINE) if told == FOLDER else self.placed(ours)
        place = _items(problem.path)
        paths = [path for path in domains if path == problem.path] or [
            path for path in domains if place.startswith(_items(path)) or _items(path).startswith(place)
        ]
        if not paths or not problem.path:
            return problem
        path, message, item = paths[0], problem.message, domains[paths[0]]
        if isinstance(item, Range) and not item.whole and "integer" in message:
            message += f"; a range of whole numbers is `{'log_integer' if item.log else 'integer'}`"
        inner = f" (with {problem.path})" if problem.path != path else ""
        return self.placed(Problem(f"{SECTION}.{path}", message + inner))


def _items(path: str) -> str:
    """A path for comparison with the beginning of others."""
    return f"{path}.".replace("[", ".[")
