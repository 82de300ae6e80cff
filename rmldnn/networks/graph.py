"""The graph that a network description means, before any layer of it is built. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from rmldnn.component import near_miss, show
from rmldnn.errors import Problem
from rmldnn.networks import layers


class Ref(NamedTuple):
    """A tensor: output number `tensor` of call number `call` of a layer, both counted from 0."""

    layer: str
    call: int = 0
    tensor: int = 0


class Slot(NamedTuple):
    """Stands for a tensor among the arguments of a call: its number among the call's tensors."""

    number: int


@dataclass(frozen=True)
class Arguments:
    """How a layer is called, where that is more than a list of tensors: nested lists and objects with `Slot`s."""

    positional: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


def listed(count: int) -> Arguments:
    """The arguments of a call that just lists its tensors: one by itself, several as a list."""
    slots = [Slot(number) for number in range(count)]
    return Arguments((slots[0] if count == 1 else slots,))


@dataclass(frozen=True)
class Node:
    """One layer.

    Args:
        name: Unique in its graph; may hold any character, `/` and `.` included.
        class_name: As the file writes it; `layers.find` knows the component.
        config: The layer's keys as the file writes them.
        inbound: The tensors that each call of the layer takes. Most layers are called once, shared ones more often;
            the one call of an input takes none.
        arguments: For each call how its tensors are handed over; empty if all calls just list them.
        model: The network that the layer is, if it is a nested one.
        implicit: Whether it is an input that the file only implies by the shape of its first layer.
    """

    name: str
    class_name: str
    config: Mapping[str, Any]
    inbound: tuple[tuple[Ref, ...], ...]
    arguments: tuple[Arguments, ...] = ()
    model: Graph | None = None
    implicit: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.class_name})"


def input_shape(config: Mapping[str, Any]) -> Any:
    """The shape that a first layer gives, batch included, under any of the names that Keras has had for it."""
    if isinstance(config.get("input_shape"), list):
        return [None, *config["input_shape"]]
    return config.get("batch_input_shape") or config.get("batch_shape")


class Call(NamedTuple):
    """One use of a layer: the step that the compiled network takes."""

    node: Node
    number: int
    sources: tuple[Ref, ...]

    @property
    def arguments(self) -> Arguments:
        """How the layer is called: one tensor by itself, several as a list, unless the file says otherwise."""
        return self.node.arguments[self.number] if self.node.arguments else listed(len(self.sources))


@dataclass(frozen=True)
class Graph:
    """A network: its layers in file order, and which tensors enter and leave.

    Args:
        title: The model's name, for the log.
        nodes: The layers.
        inputs: What the network takes, in its own order.
        outputs: What it gives, in its own order.
        place: The file that described it, for messages; empty for an inline list of layers.
        keras: The generation of Keras that wrote it, 2 or 3; lists written by hand count as 2.
    """

    title: str
    nodes: tuple[Node, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    place: str = ""
    keras: int = 2

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All calls, each behind those that feed it: file order where that is such an order already.

        Raises:
            CycleError: Layers feed each other in a circle.
        """
        calls = {
            (node.name, index): Call(node, index, sources)
            for node in self.nodes
            for index, sources in enumerate(node.inbound)
        }
        needs = {key: [ref[:2] for ref in call.sources if ref[:2] in calls] for key, call in calls.items()}
        place = {key: index for index, key in enumerate(calls)}
        if all(place[need] < place[key] for key in calls for need in needs[key]):
            return tuple(calls.values())
        return tuple(calls[key] for key in TopologicalSorter(needs).static_order())


def problems(graph: Graph) -> Iterator[Problem]:
    """Everything that makes the graph unbuildable, whatever its layers compute."""
    for path, message in _faults(graph):
        yield Problem(path, message, graph.place)
    for node in graph.nodes:
        for problem in problems(node.model) if node.model is not None else ():
            yield Problem(f"{node}: {problem.path}", problem.message, graph.place)


def _faults(graph: Graph) -> Iterator[tuple[str, str]]:
    if not graph.nodes:
        yield "layers", "the network has no layers"
        return
    names = [node.name for node in graph.nodes]
    uses = {node.name: len(node.inbound) for node in graph.nodes}
    if len(uses) < len(names):
        for name, count in Counter(names).items():
            if count > 1:
                classes = ", ".join(node.class_name for node in graph.nodes if node.name == name)
                yield name, f"{count} layers have this name ({classes}); give each its own `name`"
        return
    for node in graph.nodes:
        for message in _node_faults(node, uses):
            yield str(node), message
    entries = [Ref(node.name) for node in graph.nodes if node.class_name == "InputLayer"]
    for role, refs in (("input", graph.inputs), ("output", graph.outputs)):
        for ref in refs:
            if ref.layer not in uses:
                yield f"{role}_layers", f"the network's {role} `{ref.layer}` is no layer{near_miss(ref.layer, names)}"
            elif role == "output" and not 0 <= ref.call < uses[ref.layer]:
                yield "output_layers", _no_call(ref, uses)
            elif role == "input" and ref not in entries:
                yield "input_layers", f"{show(list(ref))} is no input; list the `InputLayer`s, each as [name, 0, 0]"
    for ref, count in Counter(graph.inputs).items():
        if count > 1:
            yield "input_layers", f"lists `{ref.layer}` {count} times; list each input once"
    for node in graph.nodes:
        if node.class_name == "InputLayer" and Ref(node.name) not in graph.inputs:
            yield str(node), "is not listed in `input_layers`; add it there"
    try:
        _ = graph.calls
    except CycleError as error:
        circle = [name for name, _ in error.args[1]]
        yield circle[0], f"layers feed each other in a circle: {' -> '.join(circle)}; change `inbound_nodes` of one"
    else:
        if not graph.outputs:
            yield "output_layers", "names no layer; list the network's outputs, each as [name, 0, 0]"


def _node_faults(node: Node, uses: Mapping[str, int]) -> Iterator[str]:
    entry = layers.find(node.class_name)
    wanted = 1
    if node.model is not None:
        wanted = len(node.model.inputs)
    elif code := _code(node):
        yield f"{code} holds Python code, which is not run; export the model with layers or operations instead"
    elif entry is None:
        yield f"unknown layer class `{node.class_name}`{near_miss(node.class_name, layers.names())}"
    for sources in node.inbound:
        for ref in sources:
            if ref.layer not in uses:
                yield f"its input `{ref.layer}` is no layer of this network{near_miss(ref.layer, uses)}"
            elif not 0 <= ref.call < uses[ref.layer]:
                yield _no_call(ref, uses)
        if not sources and not (node.class_name == "InputLayer" and input_shape(node.config)):
            yield (
                "no input shape; give the first layer `batch_input_shape`, such as [null, 28, 28, 1] "
                "(batch, height, width, channels)"
            )
        if node.model is not None and len(sources) != wanted:
            yield f"takes {wanted} inputs, got {len(sources)} ({_listed(sources)}); change `inbound_nodes`"
        elif node.model is None and entry is not None and not entry.merges and len(sources) > 1:
            yield f"takes one input, got {len(sources)} ({_listed(sources)}); join them first with a merge layer"


def _code(node: Node) -> str:
    """What holds code in a layer: the layer itself, or one of its keys; empty if nothing does."""
    if node.class_name == "Lambda":
        return "a `Lambda` layer"
    return next((f"`{key}`" for key, value in node.config.items() if _is_code(value)), "")


def _is_code(value: Any) -> bool:
    match value:
        case {"class_name": "__lambda__"} | {"class_name": "function", "config": {"code": _}}:
            return True
        case {**items}:
            return any(map(_is_code, items.values()))
        case list():
            return any(map(_is_code, value))
    return False


def _no_call(ref: Ref, uses: Mapping[str, int]) -> str:
    return f"takes the result of call {ref.call} of `{ref.layer}`, which has only {uses[ref.layer]}; calls count from 0"


def _listed(refs: Sequence[Ref]) -> str:
    return ", ".join(f"`{ref.layer}`" for ref in refs)
