"""From an operation as a file calls it to the layer that its implementation makes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from rmldnn.errors import NetworkError
from rmldnn.networks.calls import bound
from rmldnn.networks.graph import Arguments, Slot
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.operations import axes, images, pointwise, rearranging, slicing
from rmldnn.networks.operations.operands import Build, Given, Sizes

IMPLEMENTATIONS: dict[str, Build] = {
    **pointwise.OPERATIONS,
    **axes.OPERATIONS,
    **slicing.OPERATIONS,
    **rearranging.OPERATIONS,
    **images.OPERATIONS,
}

HARMLESS = ("name", "out_type", "output_type", "fill_mode")
"""Arguments that change nothing, whatever they are."""

_REMEDY = "export the model without it, or with a layer of the same meaning"


def operation(function: str, known: Mapping[str, str], shapes: Sequence[Shape], arguments: Arguments) -> Layer:
    """The layer that an operation means.

    Args:
        function: Its name in the file.
        known: What the names mean (`tensorflow.FUNCTIONS` explains).
        shapes: Keras shapes of the tensors that enter.
        arguments: How the file calls it, its own keys among the keywords.

    Raises:
        NetworkError: Nobody knows the name, or arguments that do not fit.
    """
    bare = function.removeprefix("compat.v1.")  # older forms of the same, but for images, which they resize otherwise
    if function not in known and not bare.startswith("image."):
        function = bare
    if function not in known:
        raise NetworkError(f"unknown operation `{function}`{_near(function, known)}; {_REMEDY}")
    implementation, *words = known[function].split()
    build = IMPLEMENTATIONS[implementation]
    given = {
        key: value
        for key, value in bound(
            arguments, [*words, *HARMLESS, *(key for key in ("dtype", "data_format") if key not in words)]
        ).items()
        if key in words or not _harmless(key, value)
    }
    if foreign := sorted(set(given) - set(words)):
        raise NetworkError(f"`{function}` is called with {', '.join(f'`{key}`' for key in foreign)}; {_REMEDY}")
    parameters = pointwise.parameters(build)
    entering = [index for index, shape in enumerate(shapes) if not isinstance(shape, Sizes)]
    if 1 < len(entering) < len(shapes):
        raise NetworkError(f"`{function}` takes several tensors and extents of others; export the model with numbers")
    values = {
        parameter: _operand(given[word], shapes, entering)
        for parameter, word in zip(parameters, words, strict=False)
        if word in given
    }
    missing = [
        word for parameter, word in zip(parameters, words, strict=False) if parameters[parameter] and word not in given
    ]
    if missing:
        raise NetworkError(f"`{function}` is called without {', '.join(f'`{word}`' for word in missing)}")
    try:
        made = build(**values)
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # arguments may be anything
        raise NetworkError(f"`{function}` cannot be called as the file does: {error}; export the model again") from None
    if max(len(entering), 1) < len(shapes):  # the others told their extents only
        made = replace(made, steps=(partial(one_of, number=(*entering, 0)[0]), *made.steps))
    return made


def one_of(*tensors: Tensor, number: int) -> Tensor:
    """One of the tensors."""
    return tensors[number]


def _near(function: str, known: Mapping[str, str]) -> str:
    """`; did you mean ...?` for the name whose last word is nearest, whatever its module."""
    lasts = {name.rpartition(".")[2].lower(): name for name in known}
    close = difflib.get_close_matches(function.rpartition(".")[2].lower(), lasts, n=1, cutoff=0.75)
    return f"; did you mean `{lasts[close[0]]}`?" if close else ""


def _harmless(key: str, value: Any) -> bool:
    if key == "data_format":
        return value in (None, "NHWC", "NWC", "NDHWC", "channels_last")
    return key in HARMLESS or not value or (key == "dtype" and value in ("float32", "float64"))


def _operand(value: Any, shapes: Sequence[Shape], entering: Sequence[int]) -> Any:
    """An argument with tensors in the place of slots, and constants as plain lists.

    Args:
        value: As the file writes it.
        shapes: Keras shapes of what the slots stand for.
        entering: The slots that stand for tensors.
    """
    match value:
        case Slot(number):
            shape = shapes[number]
            return shape if isinstance(shape, Sizes) else Given(entering.index(number), shape)
        case {"class_name": "__numpy__" | "__tensor__", "config": {"value": constant}}:
            return constant
        case {**items}:
            return {key: _operand(inner, shapes, entering) for key, inner in items.items()}
        case list() | tuple():
            return [_operand(inner, shapes, entering) for inner in value]
    return value
