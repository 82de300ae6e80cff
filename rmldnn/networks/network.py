"""The network that a run trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx, nn

from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.graph import Graph
from rmldnn.networks.layer import Shape
from rmldnn.networks.layout import tensor_shape
from rmldnn.networks.variable import Variable

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class LayerFacts:
    """What is known of a layer.

    Args:
        name: Its name in its model.
        class_name: Its class as the file writes it.
        path: Where its module is in the network, if it has one: the names of the models around it and its own, with
            `_` behind names that Python or torch keep for themselves (`code_`).
        qualified: The names of the models around it and its own as the file has them, joined by dots.
        shapes: Keras shapes of what its first call gives, without the batch.
        variables: Its weights.
        layers: The layers in it, if it is a nested model.
        activation: The activation that it holds besides; empty if it has none.
        implicit: Whether it is an input that the file only implies.
    """

    name: str
    class_name: str
    path: str
    qualified: str
    shapes: tuple[Shape, ...]
    variables: tuple[Variable, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    activation: str = ""
    implicit: bool = False

    @property
    def num_operations(self) -> int:
        """How many the log counts: the layer and its activation, or the layers in it."""
        return sum(layer.num_operations for layer in self.layers) if self.layers else 1 + bool(self.activation)

    def flat(self) -> Iterator[LayerFacts]:
        """The layer, or those in it if it is a nested model, however deep."""
        if not self.layers:
            yield self
        for layer in self.layers:
            yield from layer.flat()


@dataclass(frozen=True)
class Facts:
    """What is known of a network besides its code.

    Args:
        title: The model's name.
        num_operations: Layers, inputs included, and activations inside layers.
        inputs: Keras shapes of the inputs, without the batch.
        outputs: Keras shapes of the outputs, without the batch.
        last_activation: What the first output went through last.
        layers: The layers in file order.
        modes: Modules that stay in one mode, and whether that is training.
        channels_first: Whether the shapes have their channels first, as tensors have.
        graph: What the network was built from.
    """

    title: str
    num_operations: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    last_activation: str | None
    layers: tuple[LayerFacts, ...] = ()
    modes: tuple[tuple[str, bool], ...] = ()
    channels_first: bool = False
    graph: Graph | None = None

    @cached_property
    def penalties(self) -> tuple[tuple[str, tuple[float, float]], ...]:
        """The parameters with regularizers, by name, and their factors l1 and l2."""
        return tuple(
            (f"{layer.path}.{variable.parameter}", variable.penalty)
            for top in self.layers
            for layer in top.flat()
            for variable in layer.variables
            if any(variable.penalty)
        )

    def tensor(self, shape: Shape) -> Shape:
        """The shape of a sample's tensor at the network's border."""
        return shape if self.channels_first else tensor_shape(shape)


class Network(fx.GraphModule):
    """A torch module with straight-line code (`print(network.code)`), made from a Keras graph.

    Takes and gives tensors of shape (N, C, *spatial), one per input and output in the network's own order; a single
    output comes bare, several as a tuple. Parameters are called `<layer>.weight`, `<layer>.bias`, ..., whatever
    characters a layer's name has; a dot in it nests modules.
    """

    def __init__(self, modules: Mapping[str, nn.Module], graph: fx.Graph, facts: Facts) -> None:
        super().__init__(dict(modules), graph, "Network")
        self.meta["facts"] = facts  # torch copies `meta`, and no other attribute, with a graph module

    @property
    def _facts(self) -> Facts:
        facts: Facts = self.meta["facts"]
        return facts

    @property
    def title(self) -> str:
        """The model's name in Keras; `Unknown` for an inline list of layers."""
        return self._facts.title

    @property
    def num_operations(self) -> int:
        """Layers, inputs included, and activations inside layers."""
        return self._facts.num_operations

    @property
    def input_shapes(self) -> list[list[int | None]]:
        """Shapes of the inputs as Keras gives them: channels last, the batch null."""
        return [[None, *shape] for shape in self._facts.inputs]

    @property
    def output_shapes(self) -> list[list[int | None]]:
        """Shapes of the outputs as Keras gives them: channels last, the batch null."""
        return [[None, *shape] for shape in self._facts.outputs]

    @property
    def last_activation(self) -> str | None:
        """The activation that the first output went through last, in lower case; None if there is none."""
        return self._facts.last_activation

    @property
    def layers(self) -> tuple[LayerFacts, ...]:
        """What is known of the layers, in file order; nested models hold theirs."""
        return self._facts.layers

    @property
    def description(self) -> Graph:
        """What the network was built from."""
        graph = self._facts.graph
        assert graph is not None  # noqa: S101 - `build` gives it
        return graph

    @property
    def channels_first(self) -> bool:
        """Whether Keras' shapes of the network have their channels first, as its tensors always have."""
        return self._facts.channels_first

    def variables(self) -> Iterator[tuple[LayerFacts, Variable, Tensor]]:
        """Every weight as Keras counts them: its layer, the variable, and the parameter or buffer that holds it."""
        for top in self.layers:
            for layer in top.flat():
                module = self.get_submodule(layer.path) if layer.variables else self
                for variable in layer.variables:
                    yield layer, variable, attrgetter(variable.parameter)(module)

    def penalty(self) -> Tensor | None:
        """What the regularizers of the file add to the loss, a scalar; None if there are none.

        Frozen weights count in networks of Keras 2 only, as there.
        """
        terms = []
        for name, (l1, l2) in self._facts.penalties:
            parameter = self.get_parameter(name)
            if parameter.requires_grad or self.description.keras == 2:
                flat = parameter.reshape(-1)
                terms += [l1 * flat.abs().sum()] if l1 else []
                terms += [l2 * torch.dot(flat, flat)] if l2 else []
        return torch.stack(terms).sum() if terms else None

    def train(self, mode: bool = True) -> Self:
        """Sets the mode, but for modules that the file keeps in one: frozen batch norm, calls with `training`."""
        super().train(mode)
        for name, fixed in self._facts.modes if "facts" in self.meta else ():
            self.get_submodule(name).train(fixed)
        return self

    def check_input(self, *shapes: Sequence[int], arrays: bool = False, sizes: int = 0, path: str = "") -> None:
        """Refuses tensors that the network cannot take, with what to do about it.

        Args:
            shapes: Shapes of the inputs, (N, C, *spatial) each.
            arrays: Whether they were arrays, not pictures.
            sizes: How many `sizes` the slicers had that cut them; 0 without slicers.
            path: Where the configuration names the network.

        Raises:
            NetworkError: Number of inputs, rank, channels or extents differ from what the network was made for.
        """
        wanted = self._facts.inputs
        if len(shapes) != len(wanted):
            raise NetworkError(Problem(path, f"the network takes {len(wanted)} inputs, got {len(shapes)}"))
        for shape, keras in zip(shapes, wanted, strict=True):
            extents = self._facts.tensor(keras)
            if _fits(shape[1:], extents):
                continue
            message = f"the network takes inputs of shape {_words(extents)}, got {_words(shape[1:])}"
            raise NetworkError(Problem(path, f"{message}; {_remedy(shape[1:], extents, arrays, sizes)}"))


def _fits(got: Sequence[int], want: Shape) -> bool:
    return len(got) == len(want) and all(extent in (None, size) for size, extent in zip(got, want, strict=True))


def _words(extents: Sequence[int | None]) -> str:
    return f"({', '.join(['N', *('?' if extent is None else str(extent) for extent in extents)])})"


def _remedy(got: Sequence[int], want: Shape, arrays: bool, sizes: int) -> str:
    shape = "change the network's `batch_input_shape`"
    if sizes and len(got) < len(want):
        space = len(want) - 1
        few = f", one for each axis in space; there are {sizes}" if sizes < space else " greater than 1"
        return f"give each of `data.slicers` {space} `sizes`{few}"
    if arrays and _fits([1, *got], want):
        return 'say `"channel_axis": "none"` in `data`, if these arrays have no axis of channels'
    if arrays and _fits([got[-1], *got[:-1]], want):
        return 'say `"channel_axis": "last"` in `data`, if these arrays have their channels behind'
    if len(got) != len(want):
        return f"{shape} to {[None, *got[1:], *got[:1]]}".replace("None", "null")
    remedies = []
    if want[0] not in (None, got[0]):
        if (got[0], want[0]) == (3, 1) and not arrays:
            remedies.append("set `grayscale`: true for one channel")
        elif (got[0], want[0]) == (1, 3) and not arrays:
            remedies.append("set `grayscale`: false for three channels")
        else:
            remedies.append(f"give samples of {want[0]} channel{'s' if want[0] != 1 else ''}")
    if any(extent not in (None, size) for size, extent in zip(got[1:], want[1:], strict=True)):
        if len(want) == 3 and None not in want:
            remedies.append(f'add the transform {{"resize": [{want[2]}, {want[1]}]}}')
        else:
            remedies.append("give samples of that size")
    return f"{' and '.join(remedies)}, or {shape}"
