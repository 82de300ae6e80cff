"""Types of configuration values, and how each is called in a message.

Keyword-only parameters of components are annotated with these names, with builtins, or with `Literal`: the
catalog reads annotations from source text and knows no others.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from typing_extensions import TypedDict, is_typeddict

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
OpenFraction = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1), Lt(2**63)]
Index = Annotated[int, Ge(0), Lt(2**63)]
Path = Annotated[str, MinLen(1)]
"""A file or folder, relative to the working directory."""
Size2D = Annotated[list[Count], Len(2, 2)]
"""Width and height in pixels."""

Source = Literal["softmax", "sigmoid", "log_softmax", "linear", "none"]
"""Activation that a network's output already went through."""

Backbone = Literal[
    "vgg16", "vgg19", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50v2", "resnet101v2",
    "resnet152v2", "mobilenet", "mobilenetv2", "densenet121", "densenet169", "densenet201", "inceptionv3", "xception",
]  # fmt: skip
"""A classification network that a segmentation network takes as its encoder."""


class Keep(TypedDict, total=False):
    """Which checkpoints are kept: the `last` so many, and the `best` by the number of that name."""

    last: Count
    best: str


Keep.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined] # which pydantic looks for

_WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    dict: "an object",
    list: "a list",
    type(None): "null",
    Any: "anything",
}
_PLURALS = {int: "integers", float: "numbers", str: "texts", dict: "objects", list: "lists"}


def describe(annotation: Any) -> str:
    """Says in words which values an annotation admits: ``a number greater than 0``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(describe(arguments[0]), arguments[0], arguments[1:])
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin is list:
        return f"a list of {_plural(arguments[0])}"
    if origin is dict:
        return "an object"
    if is_typeddict(annotation):
        return "an object with " + " and ".join(f"`{key}`" for key in annotation.__annotations__)
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _plural(annotation: Any) -> str:
    plain = get_origin(annotation) or annotation
    if plain in _PLURALS:
        return _PLURALS[plain]
    if get_origin(annotation) is Annotated:
        kind, *bounds = get_args(annotation)
        if kind in _PLURALS:
            return _bounded(_PLURALS[kind], kind, tuple(bounds))
    return f"values, each {describe(annotation)}"


def _bounded(words: str, kind: Any, bounds: tuple[Any, ...]) -> str:
    phrases: list[str] = []
    for bound in bounds:
        match bound:
            case Len(min_length=low, max_length=high) if low == high:
                words = words.replace("a list of ", f"a list of {low} ", 1)
            case MinLen():
                words = words.replace("a text", "a text that is not empty")
            case Ge(ge=low) if kind is int and low == 1:
                words = words.replace("an integer", "a positive integer").replace("integers", "positive integers")
            case Ge(ge=low):
                phrases.append(f"at least {low}")
            case Gt(gt=low):
                phrases.append(f"greater than {low}")
            case Le(le=high):
                phrases.append(f"at most {high}")
            case Lt(lt=high) if high != 2**63:  # the largest integer that torch takes goes without saying
                phrases.append(f"less than {high}")
    return f"{words} {' and '.join(phrases)}" if phrases else words


Total: TypeAlias = Callable[[Any], Any]
"""Sums a tensor over all processes of a run, gradients included (`engine` gives it to losses and metrics)."""
