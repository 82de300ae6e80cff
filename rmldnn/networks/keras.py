"""Keras' own descriptions of networks, read into a graph. Imports no torch, so that checking a file is quick.

Three containers mean the same here: a file that Keras exported (`Sequential`, `Model`, `Functional`), the object in
such a file, and a bare list of layers written by hand. A list is a chain unless its layers say otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmldnn.component import near_miss, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph, Node, Ref, input_shape, problems

CONTAINERS = ("Sequential", "Model", "Functional")


def read(layers: str | Sequence[Any] | Mapping[str, Any]) -> Graph:
    """Reads a network and checks that its layers form a graph.

    Args:
        layers: Path of a Keras JSON file relative to the working directory, a list of layers, or a model object.

    Raises:
        NetworkError: With every problem found: a file that is no JSON, an unknown layer class, an input that does not
            exist, a circle, two layers of one name, no input shape, many inputs where one is taken.
    """
    place = layers if isinstance(layers, str) else ""
    try:
        graph = _model(_load(layers) if isinstance(layers, str) else layers, place)
    except RecursionError:
        raise NetworkError(
            Problem("", "brackets are nested too deep for a network; export it again with `model.to_json()`", place)
        ) from None
    if found := list(problems(graph)):
        raise NetworkError(found)
    return graph


def _load(path: str) -> Any:
    if not path:
        raise NetworkError("`layers` is empty; give the path of a Keras JSON file, or the list of layers itself")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NetworkError(
            f"{path}: no such file in {Path.cwd()}; `layers` is a path relative to the working directory, "
            "or the list of layers itself"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or no path at all
        raise NetworkError(f"{path}: cannot be read: {error}; `layers` must be a JSON file that Keras wrote") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise NetworkError(
            Problem(
                "",
                f"not valid JSON: {error.msg} at column {error.colno}; export it again with `model.to_json()`",
                f"{path}:{error.lineno}",
            )
        ) from None
    except ValueError as error:  # a number of thousands of digits
        raise NetworkError(Problem("", f"not valid JSON: {error}; write a smaller number", path)) from None


def _model(model: Any, place: str) -> Graph:
    if isinstance(model, Sequence) and not isinstance(model, str):
        return _graph("Unknown", {"layers": model}, place)
    if not isinstance(model, Mapping):
        raise NetworkError(Problem("", f"a network is a list of layers or a Keras model, got {show(model)}", place))
    kind, config = model.get("class_name"), model.get("config")
    if kind not in CONTAINERS:
        raise NetworkError(
            Problem(
                "class_name",
                f"must be `Sequential`, `Functional` or `Model`, got {show(kind)}{near_miss(str(kind), CONTAINERS)}; "
                "export the whole model with `model.to_json()`",
                place,
            )
        )
    if isinstance(config, Sequence):
        config = {"layers": config}  # Keras before 2.2.3
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), Sequence):
        raise NetworkError(Problem("config", "must be an object with a list `layers`", place))
    title = str(config.get("name") or model.get("name") or "Unknown")
    return _graph(title, config, place, keras_3="keras_version" not in model and "module" in model)


def _graph(title: str, config: Mapping[str, Any], place: str, *, keras_3: bool = False) -> Graph:
    entries = list(_entries(config["layers"], place))
    if not keras_3:
        entries = [{**entry, "config": _in_words_of_keras_3(entry["config"])} for entry in entries]
    if config.get("trainable") is False:
        entries = [{**entry, "config": {**entry["config"], "trainable": False}} for entry in entries]
    nodes = list(_nodes(entries, config.get("build_input_shape"), place))
    fed = {ref.layer for node in nodes for sources in node.inbound for ref in sources}
    inputs = [Ref(node.name) for node in nodes if node.class_name == "InputLayer"]
    outputs = [Ref(node.name) for node in nodes if node.name not in fed]
    return Graph(
        title,
        tuple(nodes),
        tuple(_references(config["input_layers"], "input_layers", place) if config.get("input_layers") else inputs),
        tuple(_references(config["output_layers"], "output_layers", place) if config.get("output_layers") else outputs),
        place,
    )


def _entries(layers: Sequence[Any], place: str) -> Iterator[dict[str, Any]]:
    """The layers with `class_name` and `config` in their places; all that lack them are reported at once."""
    wrong = []
    for index, layer in enumerate(layers):
        entry = {**layer, "config": _tuples(layer.get("config", {}))} if isinstance(layer, Mapping) else layer
        fault = _entry_fault(entry)
        if fault:
            wrong.append(Problem(f"layers[{index}]", fault, place))
        else:
            kind = "InputLayer" if entry["class_name"].lower() in ("input", "inputlayer") else entry["class_name"]
            yield {**entry, "class_name": kind}
    if wrong:
        raise NetworkError(wrong)


def _entry_fault(layer: Any) -> str:
    if not isinstance(layer, Mapping):
        return f"a layer is an object with `class_name` and `config`, got {show(layer)}"
    if not isinstance(layer.get("class_name"), str):
        return f"`class_name` must name the layer's class, such as `Conv2D`, got {show(layer.get('class_name'))}"
    if not isinstance(layer["config"], Mapping):
        return f"`config` must be an object, got {show(layer['config'])}"
    if not isinstance(layer.get("inbound_nodes", []), list):
        return f"`inbound_nodes` must be a list as Keras writes it, got {show(layer['inbound_nodes'])}"
    name = layer.get("name") or layer["config"].get("name") or ""
    if not isinstance(name, str):
        return f"`name` must be a text, got {show(name)}"
    if not name.isprintable():
        return f"`name` {name!a} holds a character that cannot be printed; change it"
    return ""


def _nodes(entries: Sequence[Mapping[str, Any]], build_shape: Any, place: str) -> Iterator[Node]:
    names = _names(entries)
    previous: str | None = None
    for name, entry in zip(names, entries, strict=True):
        kind, config = entry["class_name"], dict(entry["config"])
        inbound: tuple[tuple[Ref, ...], ...]
        if kind == "InputLayer":
            config["batch_input_shape"] = input_shape(config)
            inbound = ((),)
        elif calls := entry.get("inbound_nodes"):
            inbound = tuple(tuple(_references(call, f"{name} ({kind})", place)) for call in calls)
        elif previous is not None:
            inbound = ((Ref(previous),),)
        elif shape := input_shape(config) or build_shape:
            yield Node(f"{name}_input", "InputLayer", {"batch_input_shape": shape}, ((),))
            inbound = ((Ref(f"{name}_input"),),)
        else:
            inbound = ((),)
        yield Node(name, kind, config, inbound)
        previous = name


def _names(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The layers' names; those that have none get Keras' own: the class in snake case, then `_1`, `_2`, ..."""
    given = [entry.get("name") or entry["config"].get("name") or "" for entry in entries]
    taken = set(given)
    names = []
    for name, entry in zip(given, entries, strict=True):
        if not name:
            stem, count = _snake_case(entry["class_name"]), 0
            name = stem
            while name in taken:
                count += 1
                name = f"{stem}_{count}"
            taken.add(name)
        names.append(name)
    return names


def _snake_case(class_name: str) -> str:
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def _references(value: Any, path: str, place: str) -> Iterator[Ref]:
    """The tensors named in `inbound_nodes`, `input_layers` or `output_layers`, however deep Keras nests them.

    Keras 2 writes `[name, call, tensor, {}]`, Keras 3 an object of class `__keras_tensor__`.

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
            yield from _references([part for part in value.values() if not isinstance(part, str)], path, place)
    elif isinstance(value, Sequence):
        match list(value):
            case [str(name), int(call), int(tensor), *_]:
                yield Ref(name, call, tensor)
            case parts:
                for part in parts:
                    yield from _references(part, path, place)


def _keras_tensor(value: Mapping[str, Any], path: str, place: str) -> Ref:
    match value:
        case {"config": {"keras_history": [str(name), int(call), int(tensor)]}}:
            return Ref(name, call, tensor)
    raise NetworkError(
        Problem(path, f"`keras_history` of its input must be [layer, call, tensor], got {show(value)}", place)
    )


def _in_words_of_keras_3(config: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's keys with the one activation renamed that Keras 3 computes in another way."""
    return {
        key: "hard_sigmoid_of_keras_2" if key.endswith("activation") and value == "hard_sigmoid" else value
        for key, value in config.items()
    }


def _tuples(value: Any) -> Any:
    """Lists in the place of the objects by which Keras writes tuples."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__tuple__":
            return _tuples(value.get("items", []))
        return {key: _tuples(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tuples(inner) for inner in value]
    return value
