"""What a parameter of a sweep may be: values of a list, or numbers of a range."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from rmldnn.component import near_miss, show
from rmldnn.errors import Problem

STEP = "step"
KINDS = ("uniform", "log", "integer", "log_integer")
"""Keys that name a range by its bounds: numbers and whole numbers, those of `log` alike in each order of magnitude."""
_MANY = 8
"""Numbers of a list above which the least and the greatest stand for those between."""
_FORMS = 'a list of values, or a range such as {"log": [1e-5, 1e-2]}'


@dataclass(frozen=True)
class Choices:
    """Values to choose from; anything that a key may be."""

    values: tuple[Any, ...]

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values that stand for all of them, the first of them first."""
        if len(self.values) <= _MANY or not all(_is_number(value, (int, float)) for value in self.values):
            return self.values
        kinds = [[value for value in self.values if type(value) is kind] for kind in (int, float)]
        ends = [end for some in kinds if some for end in (min(some), max(some))]
        return tuple(dict.fromkeys([self.values[0], *ends]))


@dataclass(frozen=True)
class Range:
    """Numbers from the one to the other, both included.

    Args:
        kind: One of `KINDS`.
        low: The least.
        high: The greatest.
        step: From one to the next; any of them if None.
    """

    kind: str
    low: float
    high: float
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether they are integers."""
        return self.kind.endswith("integer")

    @property
    def log(self) -> bool:
        """Whether they are drawn alike in each order of magnitude."""
        return self.kind.startswith("log")

    @property
    def probes(self) -> tuple[Any, ...]:
        """Values that stand for all of them."""
        return (int(self.low), int(self.high)) if self.whole else (float(self.low), float(self.high))


Domain: TypeAlias = Choices | Range


def domain(given: Any) -> Domain:
    """The domain that is written `[1e-3, 1e-2]` or `{"log": [1e-5, 1e-2]}`, and has no faults."""
    if isinstance(given, list):
        return Choices(tuple(given))
    kind = next(key for key in given if key in KINDS)
    low, high = given[kind]
    return Range(kind, low, high, given.get(STEP))


def written(value: Any) -> str:
    """A value as JSON, in which what is equal is written alike: 1.0 as 1."""
    return json.dumps(_alike(value), sort_keys=True, ensure_ascii=False)


def _alike(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _alike(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_alike(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def faults(path: str, given: Any) -> Iterator[Problem]:
    """Every problem of a domain as a user has written it.

    Args:
        path: The parameter's place, for the messages.
        given: What is written there.
    """
    if isinstance(given, list):
        if not given:
            yield Problem(path, f"must be {_FORMS}, got an empty list")
        texts = [written(value) for value in given]
        doubles = [value for index, value in enumerate(given) if texts[index] in texts[:index]]
        if doubles:
            yield Problem(path, f"names {show(doubles[0])} twice; remove one of them")
        return
    if not isinstance(given, Mapping):
        yield Problem(path, f"must be {_FORMS}, got {show(given)}")
        return
    kinds = [key for key in given if key in KINDS]
    for key in given:
        if key not in (*KINDS, STEP):
            yield Problem(f"{path}.{key}", f"`{key}`: no kind of range{near_miss(str(key), (*KINDS, STEP))}")
    if len(kinds) > 1 or (not kinds and all(key in (*KINDS, STEP) for key in given)):
        yield Problem(path, f"must be {_FORMS}, with one of {', '.join(map(_code, KINDS))}, got {show(given)}")
    elif kinds:
        wrong = list(_bounds(f"{path}.{kinds[0]}", kinds[0], given[kinds[0]]))
        yield from wrong
        if STEP in given:
            yield from _step(f"{path}.{STEP}", kinds[0], given[STEP], [] if wrong else given[kinds[0]])


def _bounds(path: str, kind: str, bounds: Any) -> Iterator[Problem]:
    what = "integers" if kind.endswith("integer") else "numbers"
    right = (int,) if what == "integers" else (int, float)
    if not (isinstance(bounds, list) and len(bounds) == 2 and all(_is_number(bound, right) for bound in bounds)):
        yield Problem(path, f"must be a list of 2 {what}, the least and the greatest, got {show(bounds)}")
    elif bounds[0] >= bounds[1]:
        yield Problem(path, f"must begin with the least, which is below the greatest, got {show(bounds)}")
    elif kind.startswith("log") and bounds[0] <= 0:
        yield Problem(path, f"must be greater than 0 throughout, got {show(bounds)}; `uniform` may begin with 0")


def _step(path: str, kind: str, step: Any, bounds: list[float]) -> Iterator[Problem]:
    if kind.startswith("log"):
        yield Problem(path, "has no meaning for ranges that grow by factors; remove it, or write a list of values")
    elif not _is_number(step, (int,) if kind == "integer" else (int, float)) or step <= 0:
        what = "a positive integer" if kind == "integer" else "a number greater than 0"
        yield Problem(path, f"must be {what}, got {show(step)}")
    elif bounds:
        low, high, every = (Decimal(str(number)) for number in (*bounds, step))
        if (high - low) % every:
            last = low + (high - low) // every * every
            message = f"must lead from {low} to {high}, got {show(step)}; take another one, or end with {last}"
            yield Problem(path, message if last > low else message.partition(", or")[0])


def _is_number(value: Any, kinds: tuple[type[int] | type[float], ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _code(word: str) -> str:
    return f"`{word}`"
