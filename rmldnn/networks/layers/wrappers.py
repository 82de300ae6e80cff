"""Layers around layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks.graph import Arguments
from rmldnn.networks.layer import Layer, Shape, Shapes
from rmldnn.networks.layers.recurrent import entering
from rmldnn.networks.layout import size
from rmldnn.networks.making import made
from rmldnn.networks.variable import Variable
from rmldnn.networks.wrapping import Bidirectional, TimeDistributed

_SHARED = ("return_sequences", "return_state", "stateful")


@component("TimeDistributed")
def time_distributed(shape: Shape, keras: int, *, layer: dict[str, Any], trainable: bool = True) -> Layer:
    """A layer at every step of a sequence.

    Args:
        shape: Keras shape of the input; its first axis is time.
        keras: The generation of Keras that wrote the file.
        layer: The layer: its `class_name` and `config`.
        trainable: Whether it learns; frozen batch norm keeps its statistics.
    """
    if len(shape) < 2:
        raise NetworkError(f"needs a time axis and others, got an input of {size(shape)}; Reshape before it")
    inner = made(layer, [shape[1:]], keras)
    if inner.others:
        raise NetworkError("its layer has several results; set `return_state` to false")
    learns = trainable and (layer.get("config") or {}).get("trainable", True)
    return Layer(
        (shape[0], *inner.shape),
        (TimeDistributed(inner, frozen=not learns),),
        variables=tuple(_held(inner, "layer")),
    )


@component("Bidirectional")
def bidirectional(
    shapes: Shapes,
    arguments: Arguments,
    keras: int,
    *,
    layer: dict[str, Any],
    backward_layer: dict[str, Any] | None = None,
    merge_mode: Literal["sum", "mul", "concat", "ave"] | None = "concat",
) -> Layer:
    """A recurrent layer and a second one that reads sequences the other way.

    Args:
        shapes: Keras shape of the sequences, then those of states that enter, the first layer's before the second's.
        arguments: How they are handed over.
        keras: The generation of Keras that wrote the file.
        layer: The one layer: its `class_name` and `config`.
        backward_layer: The other; of the same keys, reading the other way, if not given.
        merge_mode: How their outputs become one; both are given if null.
    """
    keys = _config(layer)
    if backward_layer is None:
        turned = not keys.get("go_backwards", False)
        backward_layer = {**layer, "config": {**keys, "go_backwards": turned}}
    other = _config(backward_layer)
    for key in _SHARED:
        if keys.get(key, False) != other.get(key, False):
            raise NetworkError(f"`{key}` must be the same in `layer` and `backward_layer`; change one")
    if keys.get("go_backwards", False) == other.get("go_backwards", False):
        raise NetworkError("`go_backwards` must be true in one of `layer` and `backward_layer`; change one")
    ahead, behind = made(layer, shapes[:1], keras), made(backward_layer, shapes[:1], keras)
    if len(shapes) > 1:
        with torch.device("meta"):  # only the shapes of the states are wanted
            entered = [made(_giving_states(one), shapes[:1], keras).others for one in (layer, backward_layer)]
        entering(shapes, arguments, [*entered[0], *entered[1]])
    else:
        entering(shapes, arguments, [])
    results = (*_merged(ahead.shape, behind.shape, merge_mode), *ahead.others, *behind.others)
    sequences, states = keys.get("return_sequences", False), keys.get("return_state", False)
    return Layer(
        results[0],
        (Bidirectional(ahead, behind, merge_mode, sequences, states),),
        variables=(*_held(ahead, "forward_layer"), *_held(behind, "backward_layer")),
        others=results[1:],
    )


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    config = layer.get("config")
    if not isinstance(config, Mapping):
        raise NetworkError(f"its layer must be an object of `class_name` and `config`, got {show(layer)}")
    return config


def _giving_states(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {**layer, "config": {**_config(layer), "return_state": True}}


def _merged(one: Shape, other: Shape, mode: str | None) -> tuple[Shape, ...]:
    """The shapes of the outputs of two layers, merged."""
    if mode is None:
        return one, other
    last = (one[-1], other[-1])
    if one[:-1] != other[:-1] or None in last or (mode != "concat" and last[0] != last[1]):
        raise NetworkError(
            f"cannot merge outputs of {size(one)} and {size(other)} by `{mode}`; "
            'give both layers the same `units`, or set `merge_mode` to "concat" or null'
        )
    return ((*one[:-1], sum(extent or 0 for extent in last) if mode == "concat" else last[0]),)


def _held(layer: Layer, name: str) -> list[Variable]:
    """The variables of a layer that is held under a name."""
    return [
        replace(one, parameter=f"{name}.{one.parameter}", path="/".join(filter(None, (name, one.path))))
        for one in layer.variables
    ]
