"""From a Keras graph to a torch network: every layer is built and checked once, then only straight-line code runs."""

from __future__ import annotations

import functools
import keyword
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import fx, nn

from rmldnn.component import Form, component, form, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks import exported, keras, layers
from rmldnn.networks.graph import Call, Graph, Node, Ref
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import size
from rmldnn.networks.network import Facts, Network
from rmldnn.types import Path

log = logging.getLogger("rmldnn")


@component("keras")
def network(lenient: bool = False, *, layers: Path | list[dict[str, Any]] | dict[str, Any]) -> Network:
    """The network that Keras layers describe.

    Initial values come from torch's global generator.

    Args:
        lenient: Whether unknown keys are warnings.
        layers: Path of a Keras JSON file, a list of layers, or a Keras model as an object.

    Raises:
        NetworkError: With every problem found in the file.
    """
    return build(keras.read(layers), lenient=lenient)


def build(graph: Graph, *, lenient: bool = False) -> Network:
    """Compiles a graph that `keras.read` made.

    Args:
        graph: The network.
        lenient: Whether unknown keys are warnings.

    Raises:
        NetworkError: With every problem found: unknown keys, wrong values, shapes that do not fit.
    """
    builder = _Builder(graph, lenient)
    for call in graph.calls:
        builder.add(call)
    return builder.finish()


class _Builder:
    """Builds the calls of a graph one after the other; a layer with a problem leaves those behind it unbuilt."""

    def __init__(self, graph: Graph, lenient: bool) -> None:
        self._graph = graph
        self._lenient = lenient
        self._problems: list[Problem] = []
        self._code = fx.Graph()
        self._modules: dict[str, nn.Module] = {}
        self._keys: dict[str, dict[str, Any] | None] = {}
        self._layers: dict[str, tuple[list[Shape], Layer]] = {}
        self._values: dict[Ref, fx.Node] = {}
        self._shapes: dict[Ref, Shape] = {}
        self._activations: dict[Ref, str | None] = {}
        names = ["x"] if len(graph.inputs) == 1 else [f"x{index}" for index in range(len(graph.inputs))]
        for ref, name in zip(graph.inputs, names, strict=True):
            self._values[ref] = self._code.placeholder(name)

    def add(self, call: Call) -> None:
        """Builds one call of a layer, if all that feeds it could be built."""
        node, ref = call.node, Ref(call.node.name, call.number)
        if node.name not in self._keys:
            self._keys[node.name] = self._checked(node)
        keys = self._keys[node.name]
        for source in call.sources:
            self._must_exist(source, str(node))
        if keys is None or any(source not in self._shapes for source in call.sources):
            return
        try:
            layer = self._layer(call, keys)
        except NetworkError as error:
            self._problems += [_within(node, problem, self._graph.place) for problem in error.problems]
            return
        self._shapes[ref] = layer.shape
        self._emit(call, layer, ref)

    def finish(self) -> Network:
        """The network, or every problem that was met."""
        for ref in self._graph.outputs:
            self._must_exist(ref, "output_layers")
        self._problems += [
            Problem(str(node), fault, self._graph.place)
            for node in self._graph.nodes
            if node.name in self._modules and (fault := _name_fault(node.name, self._modules))
        ]
        for problem in self._problems if self._lenient else ():
            if problem.mild:
                log.warning("%s", problem)
        problems = [problem for problem in self._problems if not (self._lenient and problem.mild)]
        if problems:
            raise NetworkError(problems)
        outputs = self._graph.outputs
        values = tuple(self._values[ref] for ref in outputs)
        self._code.output(values[0] if len(values) == 1 else values)
        facts = Facts(
            self._graph.title,
            len(self._graph.nodes) + sum(_embeds(layer) for _, layer in self._layers.values()),
            tuple(self._shapes[ref] for ref in self._graph.inputs),
            tuple(self._shapes[ref] for ref in outputs),
            self._activations[outputs[0]],
        )
        return Network(self._modules, self._code, facts)

    def _must_exist(self, ref: Ref, path: str) -> None:
        """Notes that a layer has no such output."""
        if ref.tensor != 0:
            self._problems.append(
                Problem(
                    path,
                    f"output {ref.tensor} of `{ref.layer}` does not exist: it has one, number 0",
                    self._graph.place,
                )
            )

    def _checked(self, node: Node) -> dict[str, Any] | None:
        """The values of the layer's own keys; None if any is wrong."""
        keys = _form(node.class_name)
        own: dict[str, Any] = {}
        common: dict[str, Any] = {}
        for key, value in node.config.items():
            foreign = key not in keys.parameters and (key in exported.BUILDER or key in exported.HARMLESS)
            (common if foreign else own)[key] = value
        problems = [*keys.check(own, str(node)), *exported.judge(common, str(node))]
        if not isinstance(node.config.get("trainable", True), bool):
            problems.append(
                Problem(f"{node}.trainable", f"must be true or false, got {show(node.config['trainable'])}")
            )
        placed = [_at(problem, self._graph.place) for problem in problems]
        self._problems += placed
        if all(problem.mild and self._lenient for problem in placed):
            return {key: value for key, value in own.items() if key in keys.parameters}
        return None

    def _layer(self, call: Call, keys: Mapping[str, Any]) -> Layer:
        """The layer, built at its first call and shared by the others."""
        name, shapes = call.node.name, [self._shapes[source] for source in call.sources]
        if name in self._layers:
            first, shared = self._layers[name]
            if first != shapes:
                listed = " and ".join(size(shape) for shape in (*first, *shapes))
                raise NetworkError(f"is shared by inputs of {listed}; give it inputs of one shape")
            return shared
        entry, function = layers.find(call.node.class_name), _function(call.node.class_name)
        layer: Layer = function(shapes, **keys) if entry is not None and entry.merges else function(*shapes, **keys)
        if math.prod(extent or 1 for extent in layer.shape) >= 2**63:
            raise NetworkError(f"its result of {size(layer.shape)} is larger than any tensor can be; make it smaller")
        if call.node.config.get("trainable", True) is False:
            for step in layer.steps:
                if isinstance(step, nn.Module):
                    step.requires_grad_(False)
        self._layers[name] = (shapes, layer)
        return layer

    def _emit(self, call: Call, layer: Layer, ref: Ref) -> None:
        """Writes the code of one call."""
        if not call.sources:
            self._activations[ref] = None
            return
        name = call.node.name
        arguments = [self._values[source] for source in call.sources]
        through = self._activations[call.sources[0]] if not layer.steps else None
        for step in layer.steps:
            arguments = [self._step(step, arguments, name)]
        if layer.activation.step is not None:
            title = f"{name}_activation" if _embeds(layer) else name
            arguments = [self._step(layer.activation.step, arguments, title)]
            through = layer.activation.name
        self._values[ref], self._activations[ref] = arguments[0], through

    def _step(self, step: Step, arguments: Sequence[fx.Node], name: str) -> fx.Node:
        if isinstance(step, nn.Module):
            self._modules[name] = step
            return self._code.create_node("call_module", name, tuple(arguments), {}, name)
        keywords: dict[str, Any] = {}
        while isinstance(step, functools.partial):
            keywords = {**step.keywords, **keywords}
            step = step.func
        return self._code.create_node("call_function", step, tuple(arguments), keywords, name)


def _embeds(layer: Layer) -> bool:
    """Whether the layer's activation is an operation besides it."""
    return bool(layer.steps) and layer.activation.step is not None


@functools.cache
def _function(class_name: str) -> Callable[..., Layer]:
    entry = layers.find(class_name)
    if entry is None:
        raise LookupError(class_name)  # `keras.read` lets no such graph pass
    return entry.load()


@functools.cache
def _form(class_name: str) -> Form:
    return form(_function(class_name))


def _name_fault(name: str, modules: Mapping[str, nn.Module]) -> str:
    """Why a module cannot have this name, in which dots nest; empty if it can."""
    first, *_ = parts = name.split(".")
    if "" in parts:
        return "a name must not begin or end with a dot, nor have two in a row; change `name`"
    if word := next((part for part in parts if keyword.iskeyword(part)), None):
        return f"Python keeps the word `{word}` for itself; change `name`"
    if character := next((character for character in '"\\' if character in name), None):
        return f"torch cannot write the character {character} into code; change `name`"
    if first in _kept():
        return f"torch keeps the name `{first}` for itself; change `name`"
    for depth in range(1, len(parts)):
        outer = ".".join(parts[:depth])
        if hasattr(modules.get(outer, _EMPTY), parts[depth]):
            return f"layer `{outer}` has a `{parts[depth]}` of its own; change `name`"
    return ""


@functools.cache
def _kept() -> frozenset[str]:
    """What torch writes into every network, and `self`."""
    return frozenset({"self", *dir(Network), *vars(fx.GraphModule({}, fx.Graph()))})


_EMPTY = nn.Module()
"""What torch puts between the dots of a name where no layer is."""


def _within(node: Node, problem: Problem, place: str) -> Problem:
    path = f"{node}: {problem.path}" if problem.path else str(node)
    return Problem(path, problem.message, place, problem.mild)


def _at(problem: Problem, place: str) -> Problem:
    return Problem(problem.path, problem.message, place, problem.mild)
