"""Arithmetic, slices and other functions in the place of layers, as Keras exports what users write between layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks.graph import Arguments, Slot
from rmldnn.networks.layer import Layer, Shapes
from rmldnn.networks.operations import keras_3, tensorflow
from rmldnn.networks.operations.calling import operation as called


@component("TFOpLambda")
def tf_op_lambda(shapes: Shapes, arguments: Arguments, *, function: str) -> Layer:
    """A function of TensorFlow, as Keras 2 exports it.

    Args:
        shapes: Keras shapes of the tensors that enter.
        arguments: How the file calls the function.
        function: Its name in TensorFlow, such as `math.multiply`.
    """
    return called(function, tensorflow.FUNCTIONS, shapes, arguments)


@component("SlicingOpLambda")
def slicing_op_lambda(shapes: Shapes, arguments: Arguments, *, function: str) -> Layer:
    """A part of a tensor, as Keras 2 exports it; see `tf_op_lambda`."""
    return called(function, tensorflow.FUNCTIONS, shapes, arguments)


@component("Operation")
def operation(shapes: Shapes, arguments: Arguments, *, function: str, keywords: dict[str, Any] | None = None) -> Layer:
    """An operation of `keras.ops`, as Keras 3 exports it.

    Args:
        shapes: Keras shapes of the tensors that enter.
        arguments: How the file calls the operation.
        function: Its class, such as `Multiply`.
        keywords: The keys that Keras writes for it.
    """
    positional = arguments.positional
    if function == "Einsum":  # the one that takes any number of tensors
        positional = (list(positional),)
    words = Arguments(
        (),
        {
            **dict(zip(_tensors(function, keywords or {}), positional, strict=False)),
            **(keywords or {}),
            **arguments.keywords,
        },
    )
    return called(function, keras_3.CLASSES, shapes, words)


def _tensors(function: str, keywords: Mapping[str, Any]) -> list[str]:
    """Names of an operation's arguments that are no keys of its own, in Keras' order."""
    return [word for word in keras_3.CLASSES.get(function, "").split()[1:] if word not in keywords]


@component("TensorFlowOpLayer")
def tensorflow_op_layer(
    shapes: Shapes, *, node_def: dict[str, Any] | str, constants: dict[str, Any] | None = None
) -> Layer:
    """A node of a TensorFlow graph, as Keras exported functions before TensorFlow 2.4.

    Args:
        shapes: Keras shapes of the tensors that enter.
        node_def: The node: its `op`, its `input`s and its attributes.
        constants: Inputs that are no tensors of the network, by their numbers.
    """
    if not isinstance(node_def, dict) or not isinstance(node_def.get("op"), str):
        raise NetworkError(f"`node_def` must be an object with the `op`, got {show(node_def)}; export the model again")
    function = node_def["op"]
    fixed = constants or {}
    slots = (Slot(number) for number in range(len(shapes)))
    inputs: list[Any] = []
    for index in map(str, range(len(fixed) + len(shapes))):
        inputs.append(fixed[index] if index in fixed else next(slots, None))
    if function in ("AddN", "ConcatV2"):  # any number of tensors, then the axis
        count = len(inputs) - (function == "ConcatV2")
        inputs = [inputs[:count], *inputs[count:]]
    names = tensorflow.NODES.get(function, "").split()[1:]
    words = dict(zip(names, inputs, strict=False))
    words.update((key, value) for key, value in _attributes(node_def.get("attr") or {}) if key in names)
    return called(function, tensorflow.NODES, shapes, Arguments((), words))


_TYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_INT64": "int64", "DT_BOOL": "bool"}


def _attributes(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Attributes of a node by name: JSON wraps each in an object that tells its type, and whole numbers in texts."""
    for key, value in attributes.items():
        match value:
            case {"b": bool(flag)}:
                yield key, flag
            case {"i": number}:
                yield key, int(number)
            case {"f": number}:
                yield key, float(number)
            case {"type": str(name)}:
                yield key, _TYPES.get(name, name)
            case {"list": {"i": [*numbers]}}:
                yield key, [int(number) for number in numbers]
