"""A graph written as Keras writes it: what `keras.read` reads back as the same graph, and Keras of that generation too.

Operations with arguments of their own are written as Keras 3 does in either case, since its form holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmldnn.networks.graph import Arguments, Graph, Node, Ref, Slot
from rmldnn.networks.keras import OF_KERAS_2

VERSION = "2.15.0"
"""The last version of Keras 2 of its own; it reads files of all before it."""


def write(graph: Graph) -> dict[str, Any]:
    """The Keras model object of a graph: `json.dumps` makes a network file of it.

    Args:
        graph: The network; what `keras.read` made, or a family of the zoo.
    """
    if graph.keras == 3:
        return {"module": "keras", "registered_name": "Functional", **_model(graph)}
    return {**_model(graph), "keras_version": VERSION, "backend": "tensorflow"}


def _model(graph: Graph) -> dict[str, Any]:
    own = {node.name for node in graph.nodes if node.model is not None}
    config = {
        "name": graph.title,
        "layers": [_layer(node, graph.keras, own) for node in graph.nodes],
        "input_layers": [_counted(ref, own) for ref in graph.inputs],
        "output_layers": [_counted(ref, own) for ref in graph.outputs],
    }
    return {"class_name": "Functional", "config": config}


def _layer(node: Node, keras: int, models: set[str]) -> dict[str, Any]:
    calls = [
        _call(refs, node.arguments[index] if node.arguments else None, keras, models)
        for index, refs in enumerate(node.inbound)
        if refs
    ]
    if node.model is not None:
        return {**_model(node.model), "name": node.name, "inbound_nodes": calls}
    config = {"name": node.name, **(_as_written(node.config) if keras == 2 else node.config)}
    entry = {"class_name": node.class_name, "config": config, "name": node.name, "inbound_nodes": calls}
    if node.class_name == "Operation":
        own = {"name": node.name, **node.config["keywords"]}
        entry |= {"module": "keras.ops", "class_name": node.config["function"], "config": own}
    if node.class_name == "InputLayer" and keras == 3:
        shape = config.pop("batch_input_shape")
        entry["config"] = {**config, "batch_shape": shape}
    return entry


def _call(refs: tuple[Ref, ...], arguments: Arguments | None, keras: int, models: set[str]) -> Any:
    if arguments is None and keras == 2:
        return [[*_counted(ref, models), {}] for ref in refs]
    tensors = [_tensor(ref, models if keras == 2 else set()) for ref in refs]
    if arguments is None:
        return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}
    return {"args": _filled(arguments.positional, tensors), "kwargs": _filled(arguments.keywords, tensors)}


def _counted(ref: Ref, models: set[str]) -> list[Any]:
    """Keras counts a model's own creation as its call 0; Keras 3 does so only where the network ends."""
    return [ref.layer, ref.call + (ref.layer in models), ref.tensor]


def _tensor(ref: Ref, models: set[str]) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": _counted(ref, models)}}


def _filled(value: Any, tensors: list[dict[str, Any]]) -> Any:
    match value:
        case Slot(number):
            return tensors[number]
        case {**items}:
            return {key: _filled(inner, tensors) for key, inner in items.items()}
        case list() | tuple():
            return [_filled(inner, tensors) for inner in value]
    return value


def _as_written(config: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's keys in the words of Keras 2, which means its own hard sigmoid."""
    return {key: "hard_sigmoid" if value == OF_KERAS_2 else _inner(value) for key, value in config.items()}


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return {**value, "config": _as_written(value["config"])}
    return value
