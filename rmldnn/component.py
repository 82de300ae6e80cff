"""Components: callables whose keyword-only parameters are the keys of a configuration.

Positional parameters come from the run; keyword-only parameters are what the user writes. The decorator only marks:
a group's package is its registry. `form` reads a callable's signature; `Form.check` compares values with it and is the
one place where a user's values are judged, for configuration files, the command line and network files alike.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, TypeVar

from rmldnn.errors import Problem, Remedy
from rmldnn.types import describe

F = TypeVar("F", bound=Callable[..., Any])
SYNONYMS = {
    "lr": "learning_rate",
    "epochs": "num_epochs",
    "max_epochs": "num_epochs",
    "batch": "batch_size",
    "criterion": "loss",
    "model": "layers",
    "scheduler": "lr_scheduler",
    "epsilon": "eps",
    "workers": "num_workers",
}
"""What other tools call some keys."""
MANY = 32
"""More names than this are not listed in a message."""
REQUIRED: Any = inspect.Parameter.empty


def component(name: str, *, title: str = "", group: str = "") -> Callable[[F], F]:  # noqa: ARG001 - the catalog reads it
    """Marks a callable as the component that users call `name`.

    Args:
        name: The name in configurations, matched without regard to case.
        title: How the log calls it, where that differs from `name`.
        group: Of a component outside of this package: where it belongs, such as `loss`; see `plugins`.
    """

    def mark(target: F) -> F:
        target.component_name = name  # type: ignore[attr-defined]
        target.component_title = title or name  # type: ignore[attr-defined]
        return target

    return mark


@dataclass(frozen=True)
class Parameter:
    """One key that a component accepts."""

    name: str
    annotation: Any
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether the user must write it."""
        return self.default is REQUIRED

    def accepts(self, value: Any) -> bool:
        """Whether `value`, as JSON gives it, is of the annotated type: `true` is no number, `"1"` is no integer."""
        return _accepts(_hashable(self.annotation), value)

    def schema(self) -> dict[str, Any]:
        """A JSON Schema of the values that it accepts, without references and titles."""
        made = _schema(_hashable(self.annotation))
        plain: dict[str, Any] = _inlined(made, made.get("$defs", {}))
        return plain


@dataclass(frozen=True)
class Form:
    """The keys of one component, read from its signature."""

    name: str
    target: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    title: str = ""
    doc: str = ""

    @property
    def required(self) -> list[str]:
        """Keys that the user must write."""
        return [name for name, parameter in self.parameters.items() if parameter.required]

    @property
    def defaults(self) -> dict[str, Any]:
        """What the other keys are without a word."""
        return {name: parameter.default for name, parameter in self.parameters.items() if not parameter.required}

    def load(self) -> Callable[..., Any]:
        """Imports the component."""
        module, _, name = self.target.rpartition(".")
        target: Callable[..., Any] = getattr(import_module(module), name)
        return target

    def check(self, values: Mapping[str, Any], place: str, *, also: Iterable[str] = ()) -> Iterator[Problem]:
        """Compares values with the form: unknown keys with a near miss, missing keys, wrong types and ranges.

        Args:
            values: Keys and values as the user wrote them.
            place: How messages call the place, such as `optimizer`; paths start with it.
            also: Further keys that are legal here and checked elsewhere.
        """
        known = [*self.parameters, *also]
        for key, value in values.items():
            parameter = self.parameters.get(key)
            if parameter is not None:
                yield from mismatch(parameter, value, f"{place}.{key}" if place else key)
            elif key not in known:
                yield unknown_key(key, place, known)
        for parameter in self.parameters.values():
            if parameter.required and parameter.name not in values and not misspelt(parameter.name, values):
                message = f"`{parameter.name}` is missing; it must be {describe(parameter.annotation)}"
                yield Problem(place, message, absent=True)


def mismatch(parameter: Parameter, value: Any, path: str) -> Iterator[Problem]:
    """The problem of a value that is not of the parameter's type, if it is not."""
    if not parameter.accepts(value):
        listed = parameter.accepts([value])
        got = alone(value) if listed else show(value)
        remedy = Remedy("value", value, [value]) if listed else None
        yield Problem(path, f"must be {describe(parameter.annotation)}, got {got}", remedy=remedy)


def unknown_key(key: str, place: str, known: Iterable[str]) -> Problem:
    """The problem of a key that nobody knows, with the nearest key that somebody does."""
    where = f"unknown key in {place}" if place else "unknown key"
    path = f"{place}.{key}" if place else key
    message = f"`{key}`: {where}{near_miss(key, known)}"
    return Problem(path, message, mild=True, key=key, remedy=renamed(key, known, "key"))


def near_miss(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` for the nearest known word, else the list of known words."""
    choices = sorted(set(known), key=str.lower)
    by_lower = {choice.lower(): choice for choice in choices}
    called = _called_here(word, by_lower)
    close = [called] if called else difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{by_lower[close[0]]}`?"
    if len(choices) > MANY:
        choices = [by_lower[choice] for choice in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.0)]
        return f"; the nearest of those known here: {', '.join(f'`{choice}`' for choice in choices)}"
    return f"; known here: {', '.join(f'`{choice}`' for choice in choices)}" if choices else ""


def renamed(word: str, known: Iterable[str], kind: Literal["key", "value"]) -> Remedy | None:
    """The remedy of a word that nobody knows: the nearest known one.

    Safe is a slip of the fingers that only one known key is near to. Names of components have near neighbours of
    another meaning (`RMSE`, `MSE`): of them, only other marks between the words are safe.
    """
    by_lower = {choice.lower(): choice for choice in known}
    called = _called_here(word, by_lower)
    if called:
        return Remedy(kind, word, by_lower[called], safe=False)
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if not close:
        return None
    if kind == "key":
        safe = [choice for choice in by_lower if _slipped(word.lower(), choice)] == close
    else:
        safe = _letters(word) == _letters(close[0])
    return Remedy(kind, word, by_lower[close[0]], safe)


def _called_here(word: str, by_lower: Mapping[str, str]) -> str | None:
    """What is meant by a word that other tools have: `lr`, `train_batch_size`."""
    lower = word.lower()
    meant = (SYNONYMS.get(lower), *(lower.removeprefix(one) for one in ("train_", "training_") if lower != one))
    return next((choice for choice in meant if choice in by_lower and choice != lower), None)


def _slipped(word: str, meant: str) -> bool:
    """Whether a word is another one but for one letter: missing, too many, another, or two in wrong order."""
    start = _alike(word, meant)
    end = _alike(word[start:][::-1], meant[start:][::-1])
    one, other = word[start : len(word) - end], meant[start : len(meant) - end]
    swapped = len(one) == len(other) == _TWO and one == other[::-1]
    if len(meant) < _LONG or re.search(r"\d", one + other):
        return False
    return swapped or max(len(one), len(other)) <= 1


def _alike(one: str, other: str) -> int:
    """How many letters two words begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, pair in pairs if pair[0] != pair[1]), min(len(one), len(other)))


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


_NEAR = 0.85
"""What two words have in common, of 1, where one is meant by the other."""
_LONG = 5
"""Letters of a word that is not another one by chance."""
_TWO = 2


def misspelt(key: str, values: Iterable[str]) -> bool:
    """Whether a missing key is there after all, in nearly its own letters; it is reported as unknown already."""
    return bool(difflib.get_close_matches(key, values, n=1, cutoff=_NEAR))


def show(value: Any, limit: int = 60) -> str:
    """A value as the user wrote it, cut to a readable length."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def alone(value: Any) -> str:
    """A value as the user wrote it where a list is wanted, and how to write the list that was probably meant."""
    return f"{show(value)}; write [{show(value)}]"


def form(target: Callable[..., Any]) -> Form:
    """Reads the form of a marked callable (which must be imported, unlike in `config.catalog`)."""
    names = vars(sys.modules[target.__module__])
    return Form(
        name=target.component_name,  # type: ignore[attr-defined]
        title=target.component_title,  # type: ignore[attr-defined]
        target=f"{target.__module__}.{target.__qualname__}",
        parameters={
            name: Parameter(name, _evaluated(parameter.annotation, names), parameter.default)
            for name, parameter in inspect.signature(target).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        },
        doc=inspect.getdoc(target) or "",
    )


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """An annotation as an object. Those of positional parameters may name what is imported for type checkers only."""
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - text of a component


class _hashable:  # noqa: N801 - a key, not a concept
    """Makes any annotation a cache key (unions of annotated lists are not hashable in every Python)."""

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation
        self._text = repr(annotation)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _hashable) and self._text == other._text


@functools.cache
def _adapter(key: _hashable) -> Any:
    from pydantic import TypeAdapter  # 0.1 s, needed only once there is a value to judge

    return TypeAdapter(key.annotation, config={"allow_inf_nan": False})


@functools.cache
def _schema(key: _hashable) -> dict[str, Any]:
    made: dict[str, Any] = _adapter(key).json_schema()
    return made


def _accepts(key: _hashable, value: Any) -> bool:
    from pydantic import ValidationError

    try:
        _adapter(key).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(definitions[value["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(item, definitions) for key, item in value.items() if key not in ("title", "$defs")}
