"""Cells that a recurrent layer is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rmldnn.component import component, near_miss, show
from rmldnn.errors import NetworkError
from rmldnn.networks.cells import Stacked
from rmldnn.networks.graph import Arguments
from rmldnn.networks.layer import Layer, Shape, Shapes
from rmldnn.networks.layers.recurrent import PATH, formed, recurrent, sequence
from rmldnn.networks.making import made
from rmldnn.networks.recurrence import Cell
from rmldnn.networks.variable import Variable

LAYERS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
"""The layers that run the cells of Keras; a layer has all keys of its cell."""


@component("RNN")
def rnn(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    cell: dict[str, Any] | list[dict[str, Any]],
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    time_major: bool = False,
    unroll: bool = False,  # noqa: ARG001
    zero_output_for_mask: bool = False,  # noqa: ARG001
) -> Layer:
    """A cell along a sequence, or several on top of each other.

    `cell` is an `LSTMCell`, `GRUCell` or `SimpleRNNCell`, or a `StackedRNNCells` or list of those, whose states enter
    and are given cell by cell. Other keys as in `lstm`.
    """
    form = formed(return_sequences, return_state, go_backwards, stateful=stateful, time_major=time_major)
    sequence(shapes[0])
    if isinstance(cell, dict) and cell.get("class_name") != "StackedRNNCells":
        layer = _cell(cell, shapes[0], keras)
        module = _module(layer)
        module.form = form
        return recurrent(module, shapes, arguments, layer.variables, [(module.units,)] * module.num_states)
    cells: list[Cell] = []
    variables: list[Variable] = []
    counts: dict[str, int] = {}
    shape = shapes[0]
    for index, description in enumerate(_stacked(cell)):
        layer = _cell(description, shape, keras)
        cells.append(_module(layer))
        name = _name(description["class_name"], counts)
        variables += [
            replace(one, parameter=f"cells.{index}.{one.parameter}", path=f"{PATH}/cells/{name}")
            for one in layer.variables
        ]
        shape = (shape[0], cells[-1].units)
    states: list[Shape] = [(one.units,) for one in cells for _ in range(one.num_states)]
    return recurrent(Stacked(form, cells), shapes, arguments, variables, states, (cells[-1].units,))


def _cell(description: Mapping[str, Any], shape: Shape, keras: int) -> Layer:
    """A cell as the layer that runs it."""
    kind = description.get("class_name")
    name = next((known for known in LAYERS if known.lower() == str(kind).lower()), None)
    if name is None:
        raise NetworkError(f"`cell` of class {show(kind)} is not known{near_miss(str(kind), LAYERS)}")
    return made({**description, "class_name": LAYERS[name]}, [shape], keras)


def _module(layer: Layer) -> Cell:
    (module,) = layer.steps
    if not isinstance(module, Cell):
        raise TypeError(module)
    return module


def _stacked(cell: dict[str, Any] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    config = cell if isinstance(cell, list) else (cell.get("config") or {}).get("cells")
    if isinstance(cell, dict) and (cell.get("config") or {}).get("reverse_state_order"):
        raise NetworkError("`reverse_state_order` of `StackedRNNCells` is not computed; set it to false")
    if not isinstance(config, list) or not config:
        raise NetworkError(f"`cells` of `StackedRNNCells` must be a list of cells, got {show(config)}")
    return config


def _name(class_name: str, counts: dict[str, int]) -> str:
    """What Keras 3 calls a cell in a file of weights: its class, numbered from the second on."""
    stem = {"LSTMCell": "lstm_cell", "GRUCell": "gru_cell"}.get(class_name, "simple_rnn_cell")
    number = counts.get(stem, 0)
    counts[stem] = number + 1
    return f"{stem}_{number}" if number else stem
