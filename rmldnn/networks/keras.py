"""Keras' own descriptions of networks, read into a graph. Imports no torch, so that checking a file is quick.

Three containers mean the same here: a file that Keras exported (`Sequential`, `Model`, `Functional`), the object in
such a file, and a bare list of layers written by hand. A list is a chain unless its layers say otherwise. Models may
hold models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rmldnn.component import near_miss, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks import files, inbound, masks
from rmldnn.networks.graph import Arguments, Graph, Node, Ref, input_shape, listed, problems

OF_KERAS_2 = "hard_sigmoid_of_keras_2"
ENDS = ("input", "output")
CONTAINERS = ("Sequential", "Model", "Functional")


def read(layers: str | Sequence[Any] | Mapping[str, Any]) -> Graph:
    """Reads a network and checks that its layers form a graph.

    Args:
        layers: Path of a Keras file relative to the working directory (`.json`, `.keras`, or an `.h5` file of a whole
            model), a list of layers, or a model object.

    Raises:
        NetworkError: With every problem found: a file that holds no network, an unknown layer class, an input that
            does not exist, a circle, two layers of one name, no input shape, many inputs where one is taken.
    """
    place = layers if isinstance(layers, str) else ""
    try:
        model, version = files.load(layers) if isinstance(layers, str) else (layers, "")
        graph = _network(model, version, place)
    except RecursionError:
        raise NetworkError(
            Problem("", "brackets are nested too deep for a network; export it again with `model.to_json()`", place)
        ) from None
    if found := list(problems(graph)) or list(masks.problems(graph)):
        raise NetworkError(found)
    return graph


def inner(description: Mapping[str, Any], shapes: Sequence[Sequence[int | None]], keras: int) -> Graph:
    """The graph of a model that is inside a layer, such as `TimeDistributed`.

    Args:
        description: The model object.
        shapes: Keras shapes of what it is called with, without the batch.
        keras: The generation of Keras that wrote the file.

    Raises:
        NetworkError: With every problem found.
    """
    graph = _model(description, "", keras, nested=True)
    given = {ref.layer: [None, *shape] for ref, shape in zip(graph.inputs, shapes, strict=False)}
    nodes = [
        replace(node, config={**node.config, "batch_input_shape": given[node.name]}) if node.name in given else node
        for node in graph.nodes
    ]
    graph = replace(graph, nodes=tuple(nodes))
    if found := list(problems(graph)):
        raise NetworkError(found)
    return graph


def _network(model: Any, version: str, place: str) -> Graph:
    if isinstance(model, Sequence) and not isinstance(model, str):
        return _graph("Unknown", {"layers": model}, place, keras=2)
    if not isinstance(model, Mapping):
        raise NetworkError(Problem("", f"a network is a list of layers or a Keras model, got {show(model)}", place))
    kind = model.get("class_name")
    if kind not in CONTAINERS:
        raise NetworkError(
            Problem(
                "class_name",
                f"must be `Sequential`, `Functional` or `Model`, got {show(kind)}{near_miss(str(kind), CONTAINERS)}; "
                "export the whole model with `model.to_json()`",
                place,
            )
        )
    return _model(model, place, _generation(model, str(model.get("keras_version") or version)))


def _generation(model: Mapping[str, Any], version: str) -> int:
    """2 or 3: by the version of Keras that a file names, else by what only Keras 3 writes."""
    if major := re.match(r"\d{1,3}(?=\.)", version):
        return 3 if int(major[0]) >= 3 else 2
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else config
    for layer in layers if isinstance(layers, Sequence) else ():
        inner = layer.get("config") if isinstance(layer, Mapping) else None
        if isinstance(inner, Mapping) and "batch_input_shape" in inner:
            return 2
        if isinstance(inner, Mapping) and ("batch_shape" in inner or isinstance(inner.get("dtype"), Mapping)):
            return 3
    return 3 if "module" in model else 2


def _model(model: Mapping[str, Any], place: str, keras: int, *, nested: bool = False) -> Graph:
    config = model.get("config")
    if isinstance(config, Sequence):
        config = {"layers": config}  # Keras before 2.2.3
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), Sequence):
        raise NetworkError(Problem("config", "must be an object with a list `layers`", place))
    title = str(config.get("name") or model.get("name") or "Unknown")
    return _graph(title, config, place, keras=keras, nested=nested)


def _graph(title: str, config: Mapping[str, Any], place: str, *, keras: int, nested: bool = False) -> Graph:
    entries = list(_entries(config["layers"], place, keras))
    if keras == 2:
        entries = [{**entry, "config": _in_words_of_keras_3(entry["config"])} for entry in entries]
    if config.get("trainable") is False:
        entries = [_frozen(entry) for entry in entries]
    shape = config.get("build_input_shape") or ([None] if nested else None)  # a nested one takes what it is given
    nodes = list(_nodes(entries, shape, place, keras))
    ends = {
        role: list(inbound.references(config.get(f"{role}_layers") or [], f"{role}_layers", place)) for role in ENDS
    }
    models = [node for node in nodes if node.model is not None]
    taken = [ref for node in nodes for call in node.inbound for ref in call]
    first = {node.name: _first_call(node, taken, keras, ends["output"]) for node in models}
    nodes = [replace(node, inbound=tuple(_counted(call, first) for call in node.inbound)) for node in nodes]
    if keras == 3:  # which counts a model's creation where the network ends, and only there
        first = {node.name: int(node.class_name != "Sequential") for node in models}
    ends = {role: list(_counted(refs, first)) for role, refs in ends.items()}
    fed = {ref[:2] for node in nodes for sources in node.inbound for ref in sources}
    if not config.get("input_layers"):
        ends["input"] = [Ref(node.name) for node in nodes if node.class_name == "InputLayer"]
    if not config.get("output_layers"):
        ends["output"] = [
            Ref(node.name, call, tensor)
            for node in nodes
            for call in range(len(node.inbound))
            if (node.name, call) not in fed
            for tensor in range(1 if node.model is None else len(node.model.outputs))
        ]
    return Graph(title, tuple(nodes), tuple(ends["input"]), tuple(ends["output"]), place, keras)


def _first_call(model: Node, taken: Sequence[Ref], keras: int, outputs: Sequence[Ref]) -> int:
    """The number that `inbound_nodes` give to the first call of a nested model.

    Keras 2 counts the model's own creation as call 0; files written by hand do not always.
    """
    if keras == 3:
        return 0
    used = [ref.call for ref in (*taken, *outputs) if ref.layer == model.name]
    if used and max(used) >= len(model.inbound):
        return 1
    return 0 if used and min(used) < 1 else 1


def _counted(refs: Sequence[Ref], first: Mapping[str, int]) -> tuple[Ref, ...]:
    """The tensors with calls that count from 0."""
    return tuple(ref._replace(call=ref.call - first.get(ref.layer, 0)) for ref in refs)


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    return {**entry, "config": {**config, "trainable": False} if isinstance(config, Mapping) else config}


def _entries(layers: Sequence[Any], place: str, keras: int) -> Iterator[dict[str, Any]]:
    """The layers with `class_name` and `config` in their places; all that lack them are reported at once."""
    wrong = []
    for index, layer in enumerate(layers):
        entry = {**layer, "config": _tuples(layer.get("config", {}))} if isinstance(layer, Mapping) else layer
        if isinstance(entry, dict) and entry.get("class_name") in CONTAINERS and isinstance(entry["config"], list):
            entry["config"] = {"layers": entry["config"]}
        fault = _entry_fault(entry)
        if fault:
            wrong.append(Problem(f"layers[{index}]", fault, place))
        else:
            yield _renamed(entry, keras)
    if wrong:
        raise NetworkError(wrong)


def _renamed(entry: dict[str, Any], keras: int) -> dict[str, Any]:
    """The entry by the class that is meant: Keras 3 calls operations as it calls layers, in other modules."""
    kind = entry["class_name"].removeprefix("Custom>")
    if re.match(r"keras(\.src)?\.ops\b", str(entry.get("module"))) or (keras == 3 and _is_bare_operation(entry)):
        keywords = {key: value for key, value in entry["config"].items() if key != "name"}
        config = {"name": entry["config"].get("name"), "function": kind, "keywords": keywords}
        return {**entry, "class_name": "Operation", "config": config}
    return {**entry, "class_name": "InputLayer" if kind.lower() in ("input", "inputlayer") else kind}


def _is_bare_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a whole-model `.h5` of Keras 3, which names no modules, is an operation: it has no type."""
    calls = entry.get("inbound_nodes")
    by_keras_3 = isinstance(calls, list) and any(isinstance(call, Mapping) and "args" in call for call in calls)
    return by_keras_3 and "module" not in entry and not {"dtype", "trainable", "layers"} & set(entry["config"])


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


def _nodes(entries: Sequence[Mapping[str, Any]], shape: Any, place: str, keras: int) -> Iterator[Node]:
    names = _names(entries)
    known = set(names)
    previous: tuple[Ref, ...] = ()
    for name, entry in zip(names, entries, strict=True):
        kind, config = entry["class_name"], {key: value for key, value in entry["config"].items() if key != "name"}
        model = None
        if kind in CONTAINERS:
            model = _model({**entry, "config": {**config, "name": name}}, place, keras, nested=True)
        calls: tuple[tuple[Ref, ...], ...]
        arguments: tuple[Arguments, ...] = ()
        if kind == "InputLayer":
            config["batch_input_shape"] = input_shape(config)
            calls = ((),)
        elif written := entry.get("inbound_nodes"):
            read = [_call(one, known, f"{name} ({kind})", place) for one in written]
            calls = tuple(tuple(refs) for refs, _ in read)
            if any(given is not None for _, given in read):
                arguments = tuple(listed(len(refs)) if given is None else given for refs, given in read)
        elif previous:
            calls = (previous,)
        elif shapes := _entry_shapes(config, model) or ([shape] if shape else []):
            stems = [f"{name}_input", *(f"{name}_input_{index}" for index in range(1, len(shapes)))]
            for stem, one in zip(stems, shapes, strict=True):
                yield Node(stem, "InputLayer", {"batch_input_shape": one}, ((),), implicit=True)
            calls = (tuple(map(Ref, stems)),)
        else:
            calls = ((),)
        yield Node(name, kind, {} if model else config, calls, arguments, model)
        previous = tuple(Ref(name, 0, index) for index in range(len(model.outputs))) if model else (Ref(name),)


def _call(written: Any, known: set[str], path: str, place: str) -> tuple[list[Ref], Arguments | None]:
    """What one call of a layer takes, every part of it of the right kind."""
    try:
        refs, arguments = inbound.call(_tuples(written), known, path, place)
    except (AttributeError, TypeError, ValueError):
        refs, arguments = [Ref("", -1, -1)], None
    if not all(
        isinstance(ref.layer, str) and isinstance(ref.call, int) and isinstance(ref.tensor, int) for ref in refs
    ):
        refs = [Ref("", -1, -1)]
    if Ref("", -1, -1) in refs:
        message = f"`inbound_nodes` must name tensors as [layer, call, tensor, {{}}], got {show(written)}"
        raise NetworkError(Problem(path, message, place))
    return refs, arguments


def _entry_shapes(config: Mapping[str, Any], model: Graph | None) -> list[Any]:
    """The shapes of what a first layer takes, where it says so itself."""
    if model is None:
        return [shape] if (shape := input_shape(config)) else []
    inputs = {ref.layer for ref in model.inputs}
    shapes = [node.config["batch_input_shape"] for node in model.nodes if node.name in inputs]
    return [] if [None] in shapes else shapes


def _names(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The layers' names; those that have none get Keras' own: the class in snake case, then `_1`, `_2`, ..."""
    given = [entry.get("name") or entry["config"].get("name") or "" for entry in entries]
    taken = set(given)
    counts: Counter[str] = Counter()
    names = []
    for name, entry in zip(given, entries, strict=True):
        if not name:
            stem = _snake_case(entry["class_name"])
            name = stem
            while name in taken:
                counts[stem] += 1
                name = f"{stem}_{counts[stem]}"
            taken.add(name)
        names.append(name)
    return names


def _snake_case(class_name: str) -> str:
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def _in_words_of_keras_3(config: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's keys with the one activation renamed that Keras 3 computes in another way."""
    return {
        key: OF_KERAS_2 if key.endswith("activation") and value == "hard_sigmoid" else _inner(value)
        for key, value in config.items()
    }


def _inner(value: Any) -> Any:
    """The layer inside a wrapper, or a list of cells."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return {**value, "config": _in_words_of_keras_3(value["config"])}
    return [_inner(one) for one in value] if isinstance(value, list) else value


def _tuples(value: Any) -> Any:
    """Lists in the place of the objects by which Keras writes tuples."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__tuple__":
            return _tuples(value.get("items", []))
        return {key: _tuples(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tuples(inner) for inner in value]
    return value
