"""What is wrong with a configuration, mended in its text: line by line, so that comments and layout stay."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rmldnn.errors import Problem


@dataclass(frozen=True)
class Patch:
    """A change of one line.

    Args:
        problem: What it mends.
        line: Number of the line, from 1.
        old: The line.
        new: What is to stand there; None if the line goes.
        safe: Whether hardly anybody can have meant anything else.
    """

    problem: Problem
    line: int
    old: str
    new: str | None
    safe: bool

    @property
    def diff(self) -> str:
        """Both lines, as `diff` shows them."""
        return f"-{self.old.rstrip()}" + ("" if self.new is None else f"\n+{self.new.rstrip()}")

    def applied(self, text: str) -> str:
        """The text with the change."""
        lines = _lines(text)
        lines[self.line - 1 : self.line] = [] if self.new is None else [self.new]
        return "".join(lines)


def patch(problem: Problem, text: str, name: str) -> Patch | None:
    """The change of a text that mends a problem; None if there is none, or its place in the line is not certain.

    Args:
        problem: A problem of the text, with its place.
        text: The text.
        name: What places call it.
    """
    file, _, number = problem.place.rpartition(":")
    if problem.remedy is None or file != name or not number.isdigit():
        return None
    line = int(number)
    old = "".join(_lines(text)[line - 1 : line])
    if problem.remedy.kind == "line":
        alone = _ALONE.fullmatch(old.strip())
        found = alone is not None and _read(alone.group("key")) == problem.remedy.old
        return Patch(problem, line, old, None, problem.remedy.safe) if found else None
    new = _edited(old, problem)
    return None if new is None else Patch(problem, line, old, new, problem.remedy.safe)


def _lines(text: str) -> list[str]:
    """Lines as the reader counts them, with their ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def mend(text: str, name: str, judge: Callable[[str], Sequence[Problem]]) -> tuple[str, list[Patch]]:
    """Makes the safe changes, one at a time, each only if it leaves fewer problems and brings none.

    Args:
        text: The text.
        name: What places call it.
        judge: Finds the problems of a text.

    Returns:
        The text, and the changes in it.
    """
    made: list[Patch] = []
    before = judge(text)
    again = True
    while again:
        again = False
        for change in filter(None, (patch(problem, text, name) for problem in before)):
            changed = change.applied(text)
            if change.safe and _kinds(after := judge(changed)) < _kinds(before):
                text, before, again = changed, after, True
                made.append(change)
                break
    return text, made


def _kinds(problems: Sequence[Problem]) -> Counter[tuple[str, str]]:
    """Problems without their lines, which move."""
    return Counter((problem.path, re.sub(r"\bline \d+", "line", problem.message)) for problem in problems)


_TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|[^\s,:{}\[\]"'#]+""")
_ALONE = re.compile(rf"""(?P<key>{_TOKEN.pattern})\s*:\s*(?:{_TOKEN.pattern})\s*,?""")
"""A line of nothing but a key and its value."""


def _edited(line: str, problem: Problem) -> str | None:
    remedy = problem.remedy
    assert remedy is not None  # noqa: S101 - see `patch`
    spots = [spot for spot in _spots(line) if _is(spot, line, remedy.old, key=remedy.kind == "key")]
    if len(spots) > 1:
        key = re.escape(problem.path.rpartition(".")[2])
        spots = [spot for spot in spots if re.search(rf"""\b{key}["']?\s*:\s*$""", line[: spot.start()])]
    if len(spots) != 1:
        return None
    (spot,) = spots
    return line[: spot.start()] + _written(remedy.new, spot.group()) + line[spot.end() :]


def _spots(line: str) -> Iterator[re.Match[str]]:
    """The words of a line, up to a comment."""
    end = 0
    for spot in _TOKEN.finditer(line):
        if "#" in line[end : spot.start()] or spot.group().startswith(("//", "/*")):
            return
        yield spot
        end = spot.end()


def _is(spot: re.Match[str], line: str, wanted: Any, *, key: bool) -> bool:
    """Whether a word of a line is a key, or a value."""
    found = _read(spot.group())
    return type(found) is type(wanted) and found == wanted and line[spot.end() :].lstrip().startswith(":") == key


def _read(word: str) -> Any:
    if word.startswith("'"):
        return word[1:-1]
    try:
        return json.loads(word)
    except ValueError:
        return word


def _written(new: Any, old: str) -> str:
    """What takes the place of a word: a list of it, or another word in the same quotes."""
    if isinstance(new, list):
        return f"[{old}]"
    quote = old[0] if old[0] in "\"'" else ""
    return f"{quote}{new}{quote}"
