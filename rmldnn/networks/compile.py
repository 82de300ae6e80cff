"""From a Keras graph to a torch network: every layer is built and checked once, then only straight-line code runs."""

from __future__ import annotations

import functools
import keyword
import logging
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from rmldnn.component import component
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks import keras
from rmldnn.networks.extents import has_channels_first, without_extents
from rmldnn.networks.graph import Call, Graph, Node, Ref
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import channels_first, channels_last, size
from rmldnn.networks.making import judge, make
from rmldnn.networks.network import Facts, LayerFacts, Network
from rmldnn.networks.original import as_original
from rmldnn.types import Path

log = logging.getLogger("rmldnn")


@component("keras")
def network(
    lenient: bool = False,
    graph: Graph | None = None,
    any_extents: bool = False,
    *,
    layers: Path | list[dict[str, Any]] | dict[str, Any] | None = None,
    semantics: Literal["keras", "original"] = "keras",
) -> Network:
    """The network that Keras layers describe, or a family of the zoo.

    Initial values come from torch's global generator.

    Args:
        lenient: Whether unknown keys are warnings.
        graph: What a family of the zoo made, in place of `layers`.
        any_extents: Whether it is to take samples of any extents, whatever its input says.
        layers: Path of a Keras file (JSON, `.keras`, `.h5` of a whole model), a list of layers, or a Keras model as an
            object; the section `network` can stand in its place.
        semantics: `original` for what the original rmldnn did in training where that was not what Keras says:
            initializers of the file are passed over, batch norm always has weight and bias, a momentum up to 0.5 is
            torch's, and a frozen batch norm uses the statistics of the batch.

    Raises:
        NetworkError: With every problem found in the file.
    """
    if graph is None:
        graph = keras.read([] if layers is None else layers)
    if any_extents:
        graph = without_extents(graph)
    return build(graph, lenient=lenient, semantics=semantics)


def build(graph: Graph, *, lenient: bool = False, semantics: Literal["keras", "original"] = "keras") -> Network:
    """Compiles a graph that `keras.read` made.

    Args:
        graph: The network.
        lenient: Whether unknown keys are warnings.
        semantics: `original` for what the original rmldnn did in training where that was not what Keras says.

    Raises:
        NetworkError: With every problem found: unknown keys, wrong values, shapes that do not fit.
    """
    if semantics == "original":
        graph = as_original(graph)
    general: dict[str, list[Shape]] = {}
    state = torch.get_rng_state()
    while True:
        try:
            return _Builder(graph, lenient, general, freezes=semantics == "keras").network()
        except _WiderError:
            torch.set_rng_state(state)


class _Value(NamedTuple):
    """A tensor of the code: where it comes from, its Keras shape, and the activation that it went through last."""

    code: fx.Node
    shape: Shape
    activation: str | None


class _WiderError(Exception):
    """A layer with weights is called with inputs of other shapes than before: it is to be made for both."""


class _Builder:
    """Builds the calls of a graph one after the other; a layer with a problem leaves those behind it unbuilt.

    Nested models become part of the same code; the names of their layers begin with that of the model and a dot.

    Args:
        graph: The network.
        lenient: Whether mild problems are warnings.
        general: By name the shapes for which layers are to be made that are called with inputs of several shapes.
        freezes: Whether a batch norm that is not trainable keeps its statistics.
    """

    def __init__(self, graph: Graph, lenient: bool, general: dict[str, list[Shape]], *, freezes: bool) -> None:
        self._freezes = freezes
        self._graph = graph
        self._lenient = lenient
        self._general = general
        self._problems: list[Problem] = []
        self._code = fx.Graph()
        self._modules: dict[str, nn.Module] = {}
        self._sound: dict[str, bool] = {}
        self._layers: dict[str, tuple[list[Shape], Layer]] = {}
        self._made: dict[str, Made] = {}
        self._modes: dict[str, bool] = {}
        self._called: dict[str, Any] = {}

    def network(self) -> Network:
        """The network, or every problem that was met."""
        graph = self._graph
        plain = has_channels_first(graph)  # then tensors enter and leave the network as they are
        shapes = [self._shape(graph, ref) for ref in graph.inputs]
        names = ["x"] if len(graph.inputs) == 1 else [f"x{index}" for index in range(len(graph.inputs))]
        codes = [self._code.placeholder(name) for name in names]
        inputs = [
            None if shape is None else _Value(self._moved(code, channels_first(shape)) if plain else code, shape, None)
            for code, shape in zip(codes, shapes, strict=True)
        ]
        outputs = self._calls(graph, "", inputs)
        self._problems += [
            Problem(self._made[name].title, fault, graph.place)
            for name in self._modules
            if name in self._made and (fault := _name_fault(name, self._modules))
        ]
        for problem in self._problems if self._lenient else ():
            if problem.mild:
                log.warning("%s", problem)
        problems = [problem for problem in self._problems if not (self._lenient and problem.mild)]
        if problems:
            raise NetworkError(problems)
        ends = [value for value in outputs if value is not None]
        values = tuple(self._moved(value.code, channels_last(value.shape)) if plain else value.code for value in ends)
        self._code.output(values[0] if len(values) == 1 else values)
        for code in reversed(self._code.nodes):
            if code.target is torch.movedim and not code.users:  # undone at once
                self._code.erase_node(code)
        layers = self._facts(graph, "")
        facts = Facts(
            graph.title,
            sum(one.num_operations for one in layers),
            tuple(shape for shape in shapes if shape is not None),
            tuple(value.shape for value in ends),
            ends[0].activation,
            layers,
            tuple(self._modes.items()),
            plain,
            graph,
        )
        return Network(self._modules, self._code, facts)

    def _calls(self, graph: Graph, prefix: str, inputs: Sequence[_Value | None]) -> list[_Value | None]:
        """Builds a graph on tensors that exist; None stands for what could not be built."""
        values: dict[Ref, _Value | None] = dict(zip(graph.inputs, inputs, strict=True))
        modules = _modules_of(graph)
        for call in graph.calls:
            name = f"{prefix}{modules[call.node.name]}"
            if call.node.class_name == "InputLayer" and not call.sources:
                self._made.setdefault(name, Made(call.node, None, ((),)))
                continue
            sources = [self._existing(values, source, str(call.node)) for source in call.sources]
            results = self._call(call, name, sources)
            for index, value in enumerate(results):
                values[Ref(call.node.name, call.number, index)] = value
        return [self._existing(values, ref, "output_layers") for ref in graph.outputs]

    def _existing(self, values: Mapping[Ref, _Value | None], ref: Ref, path: str) -> _Value | None:
        """The tensor; a problem is noted if its layer was built and does not give it."""
        if ref in values:
            return values[ref]
        if Ref(ref.layer, ref.call) in values:
            count = sum(other[:2] == ref[:2] for other in values)
            has = "one, number 0" if count == 1 else f"{count}, counted from 0"
            self._problems.append(
                Problem(path, f"output {ref.tensor} of `{ref.layer}` does not exist: it has {has}", self._graph.place)
            )
        return None

    def _shape(self, graph: Graph, ref: Ref) -> Shape | None:
        """The shape of an input; None if it is wrong."""
        (node,) = (node for node in graph.nodes if node.name == ref.layer)
        name = _modules_of(graph)[node.name]
        if not self._judged(node, name):
            return None
        try:
            layer = make(node.class_name, node.config, [])
        except NetworkError as error:
            self._problems += [_within(node, problem, self._graph.place) for problem in error.problems]
            return None
        self._made[name] = Made(node, layer)
        return layer.shape

    def _call(self, call: Call, name: str, sources: Sequence[_Value | None]) -> Sequence[_Value | None]:
        """Builds one call of a layer, if all that feeds it could be built."""
        node = call.node
        if node.model is not None:
            ends = self._calls(node.model, f"{name}.", sources)
            self._pin(call, name, [inner for inner in self._modules if inner.startswith(f"{name}.")])
            self._made.setdefault(name, Made(node, None, tuple(value.shape for value in ends if value)))
            return ends
        known = self._judged(node, name)
        entering = [value for value in sources if value is not None]
        if not known or len(entering) < len(sources):
            return [None]
        try:
            layer, results = self._layer(call, name, [value.shape for value in entering])
        except NetworkError as error:
            self._problems += [_within(node, problem, self._graph.place) for problem in error.problems]
            return [None]
        self._made.setdefault(name, Made(node, layer))
        codes = self._emit(name, layer, [value.code for value in entering])
        self._pin(call, name, [name] if name in self._modules else [])
        through = None if layer.steps else entering[0].activation
        if layer.activation.step is not None:
            through = layer.activation.name
        return [_Value(code, shape, through) for code, shape in zip(codes, results, strict=True)]

    def _judged(self, node: Node, name: str) -> bool:
        """Whether the layer's keys are sound, judged at its first call."""
        if name not in self._sound:
            problems = [_at(problem, self._graph.place) for problem in judge(node.class_name, node.config, str(node))]
            self._problems += problems
            self._sound[name] = all(problem.mild and self._lenient for problem in problems)
        return self._sound[name]

    def _layer(self, call: Call, name: str, shapes: list[Shape]) -> tuple[Layer, tuple[Shape, ...]]:
        """The layer, whose weights all its calls share, and the shapes of what it gives here."""
        arguments = (call.node.class_name, call.node.config)
        if name not in self._layers:
            wide = self._general.get(name, shapes)
            self._layers[name] = (wide, make(*arguments, wide, call.arguments, self._graph.keras))
            if wide == shapes:
                return self._layers[name][1], self._layers[name][1].shapes
        wide, layer = self._layers[name]
        if wide == shapes and not call.node.arguments:
            return layer, layer.shapes
        with torch.device("meta"):
            fresh = make(*arguments, shapes, call.arguments, self._graph.keras)
        if not fresh.variables:
            return make(*arguments, shapes, call.arguments, self._graph.keras), fresh.shapes
        if [*map(len, wide)] != [*map(len, shapes)] and _modules(fresh, as_text=True) == _modules(layer, as_text=True):
            return replace(fresh, steps=_with_modules_of(layer, fresh), activation=layer.activation), fresh.shapes
        joined = _joined(wide, shapes)
        if joined != wide and joined != self._general.get(name):
            self._general[name] = joined
            raise _WiderError
        if call.node.arguments:  # other arguments, the same weights
            return replace(fresh, steps=_with_modules_of(layer, fresh), activation=layer.activation), fresh.shapes
        return layer, fresh.shapes

    def _pin(self, call: Call, name: str, modules: Sequence[str]) -> None:
        """Keeps modules in the mode in which the file has them, whatever the network's own."""
        # Keras 3 writes the mode of the export into calls, and overrides it whenever the model runs
        training = call.arguments.keywords.get("training") if self._graph.keras == 2 else None
        if modules and self._called.setdefault(name, training) != training:
            message = "is called with different values of `training`, and its weights can be in one mode only"
            self._problems.append(Problem(str(call.node), f"{message}; call it in one way", self._graph.place))
        for inner in modules:
            stays = self._freezes and call.node.config.get("trainable") is False
            frozen = stays and isinstance(self._modules[inner], BatchNorm)
            if isinstance(training, bool) or frozen:
                self._modes.setdefault(inner, bool(training) and not frozen)

    def _emit(self, name: str, layer: Layer, arguments: list[fx.Node]) -> list[fx.Node]:
        """Writes the code of one call; the results."""
        for step in layer.steps:
            arguments = [self._step(step, arguments, name)]
        if layer.activation.step is not None:
            title = f"{name}_activation" if _embeds(layer) else name
            arguments = [self._step(layer.activation.step, arguments, title)]
        if layer.others:
            return [
                self._code.create_node("call_function", operator.getitem, (arguments[0], index), {}, name)
                for index in range(len(layer.shapes))
            ]
        return arguments

    def _moved(self, code: fx.Node, steps: Sequence[Step]) -> fx.Node:
        for step in steps:
            code = self._step(step, [code], code.name)
        return code

    def _step(self, step: Step, arguments: Sequence[fx.Node], name: str) -> fx.Node:
        if isinstance(step, nn.Module):
            target = name
            while self._modules.setdefault(target, step) is not step:  # one without weights, made anew for a call
                target = f"{target}_"
            return self._code.create_node("call_module", target, tuple(arguments), {}, name)
        keywords: dict[str, Any] = {}
        while isinstance(step, functools.partial):
            keywords = {**step.keywords, **keywords}
            step = step.func
        before = arguments[0]
        back = {"source": keywords.get("destination"), "destination": keywords.get("source")}
        if step is torch.movedim is before.target and before.kwargs == back:
            (original,) = before.args
            return original  # type: ignore[return-value]
        return self._code.create_node("call_function", step, tuple(arguments), keywords, name)

    def _facts(self, graph: Graph, prefix: str, outer: str = "") -> tuple[LayerFacts, ...]:
        """What is known of the layers of a graph, in file order."""
        facts = []
        modules = _modules_of(graph)
        for node in graph.nodes:
            name = f"{prefix}{modules[node.name]}"
            made = self._made[name]
            layer = made.layer
            inner = () if node.model is None else self._facts(node.model, f"{name}.", f"{outer}{node.name}.")
            facts.append(
                LayerFacts(
                    node.name,
                    node.class_name,
                    name,
                    f"{outer}{node.name}",
                    made.shapes if layer is None else layer.shapes,
                    layer.variables if layer is not None else (),
                    inner,
                    layer.activation.name if layer is not None and _embeds(layer) else "",
                    node.implicit,
                )
            )
        return tuple(facts)


class Made(NamedTuple):
    """A layer that was built: what the file says, and what it became; a nested model has shapes only."""

    node: Node
    layer: Layer | None
    shapes: tuple[Shape, ...] = ()

    @property
    def title(self) -> str:
        """How messages call it."""
        return str(self.node)


def _modules(layer: Layer, *, as_text: bool = False) -> list[Any]:
    """The modules among a layer's steps, or what they print of themselves: alike if the input's rank is no matter."""
    return [str(step) if as_text else step for step in layer.steps if isinstance(step, nn.Module)]


def _with_modules_of(layer: Layer, fresh: Layer) -> tuple[Step, ...]:
    """The steps of a layer that was made for another call, with the modules that hold the weights."""
    modules = iter(_modules(layer))
    return tuple(next(modules) if isinstance(step, nn.Module) else step for step in fresh.steps)


def _joined(wide: Sequence[Shape], shapes: Sequence[Shape]) -> list[Shape]:
    """Shapes that stand for those of two calls; tensors that only one of them takes are left as they are."""
    if any(len(one) != len(other) for one, other in zip(wide, shapes, strict=False)):
        listed = " and ".join(size(shape) for shape in (*wide, *shapes))
        raise NetworkError(f"is shared by inputs of {listed}; give it inputs with the same number of axes")
    both = [
        tuple(a if a == b else None for a, b in zip(one, other, strict=True))
        for one, other in zip(wide, shapes, strict=False)
    ]
    return [*both, *wide[len(both) :]]


def _embeds(layer: Layer) -> bool:
    """Whether the layer's activation is an operation besides it."""
    return bool(layer.steps) and layer.activation.step is not None


def _modules_of(graph: Graph) -> dict[str, str]:
    """What the modules of a graph's layers are called: as the layers, with `_` behind what Python or torch keep."""
    taken = {node.name for node in graph.nodes}
    names = {}
    for node in graph.nodes:
        name = ".".join(f"{part}_" if part in _kept() else part for part in _QUOTES.sub("_", node.name).split("."))
        while name != node.name and name in taken:
            name += "_"
        taken.add(name)
        names[node.name] = name
    return names


def _name_fault(name: str, modules: Mapping[str, nn.Module]) -> str:
    """Why a module cannot have this name, in which dots nest; empty if it can."""
    parts = name.split(".")
    if "" in parts:
        return "a name must not begin or end with a dot, nor have two in a row; change `name`"
    for depth in range(1, len(parts)):
        outer = ".".join(parts[:depth])
        if hasattr(modules.get(outer, _EMPTY), parts[depth]):
            return f"layer `{outer}` has a `{parts[depth]}` of its own; change `name`"
    return ""


_QUOTES = re.compile(r"[\"\\]")
"""What torch cannot write into code."""


@functools.cache
def _kept() -> frozenset[str]:
    """What Python keeps for itself, and what torch writes into every network."""
    return frozenset({"self", *keyword.kwlist, *dir(Network), *vars(fx.GraphModule({}, fx.Graph()))})


_EMPTY = nn.Module()
"""What torch puts between the dots of a name where no layer is."""


def _within(node: Node, problem: Problem, place: str) -> Problem:
    path = f"{node}: {problem.path}" if problem.path else str(node)
    return Problem(path, problem.message, place)  # never mild: the layer could not be made


def _at(problem: Problem, place: str) -> Problem:
    return Problem(problem.path, problem.message, place, problem.mild)
