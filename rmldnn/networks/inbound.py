"""Which tensors enter a layer: the ways in which generations of Keras have written that down.

Keras 2 writes each tensor as `[layer, call, tensor, {keywords}]`, Keras 3 a call as `{"args": [...], "kwargs": {...}}`
with an object of class `__keras_tensor__` for each tensor, wherever it is among the arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from rmldnn.component import show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Arguments, Ref, Slot, listed

CONSTANT = "_CONSTANT_VALUE"
"""What stands for a layer where Keras 2 hands a number to an operation."""


def references(value: Any, path: str, place: str) -> Iterator[Ref]:
    """The tensors named in `input_layers` or `output_layers`, however deep Keras nests them.

    Args:
        value: The tensors, as the file writes them.
        path: How messages call what takes them.
        place: The file.
    """
    if isinstance(value, str):
        yield Ref(value)
    elif isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield _keras_tensor(value, path, place)
        else:
            parts = [value[key] for key in sorted(value)]  # Keras goes through dictionaries in this order
            yield from references([part for part in parts if not isinstance(part, str)], path, place)
    elif isinstance(value, Sequence):
        match list(value):
            case [str(name), int(call), int(tensor), *_]:
                yield Ref(name, call, tensor)
            case parts:
                for part in parts:
                    yield from references(part, path, place)


def call(value: Any, known: Collection[str], path: str, place: str) -> tuple[list[Ref], Arguments | None]:
    """The tensors of one call of a layer, and how they are handed over; None if they are just listed.

    Args:
        value: The call, as the file writes it.
        known: The names of all layers.
        path: How messages call the layer.
        place: The file.
    """
    refs: list[Ref] = []

    def slot(ref: Ref) -> Slot:
        refs.append(ref)
        return Slot(len(refs) - 1)

    def argument(value: Any) -> Any:
        """The value with slots for tensors."""
        if isinstance(value, Mapping):
            if value.get("class_name") == "__keras_tensor__":
                return slot(_keras_tensor(value, path, place))
            return {key: argument(inner) for key, inner in value.items()}
        match value:
            case [str(name), int(number), int(tensor), *_] if name in known:
                return slot(Ref(name, number, tensor))
            case list():
                return [argument(inner) for inner in value]
        return value

    match value:
        case {"args": list(positional), **rest}:
            keywords: Any = rest.get("kwargs") or {}
            given = Arguments(
                tuple(argument(one) for one in positional), {key: argument(one) for key, one in keywords.items()}
            )
        case str() | [str(), int(), _, *_] | [[_, int(), _, *_], *_] | [[str(), *_], *_]:
            tensors = [[value]] if isinstance(value, str) else [value] if isinstance(value[0], str) else value
            slots: list[Any] = []
            keywords = {}
            for name, number, tensor, *words in ([*one, 0, 0][: max(3, len(one))] for one in tensors):
                slots.append(tensor if name == CONSTANT else slot(Ref(name, number, tensor)))
                keywords.update(words[0] if words and isinstance(words[0], Mapping) else {})
            given = Arguments(
                (slots[0] if len(slots) == 1 else slots,), {key: argument(one) for key, one in keywords.items()}
            )
            if not refs:  # a function of which Keras 2 wrote the constants alone, such as `einsum`
                message = "its file names no tensors for it; use EinsumDense, Dot or matmul in its place"
                raise NetworkError(Problem(path, message, place))
        case _:
            return list(references(value, path, place)), None
    meant = {key: one for key, one in given.keywords.items() if one is not None}
    return refs, None if not meant and given.positional == listed(len(refs)).positional else given


def _keras_tensor(value: Mapping[str, Any], path: str, place: str) -> Ref:
    match value:
        case {"config": {"keras_history": [str(name), int(call), int(tensor)]}}:
            return Ref(name, call, tensor)
    raise NetworkError(
        Problem(path, f"`keras_history` of its input must be [layer, call, tensor], got {show(value)}", place)
    )
