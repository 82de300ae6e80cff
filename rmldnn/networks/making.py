"""One layer from what a file says about it: its keys are checked, then its function is called."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from rmldnn.component import Form, form, near_miss, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks import exported, layers
from rmldnn.networks import keras as reader
from rmldnn.networks.graph import Arguments, listed
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import channels_first, channels_last, size
from rmldnn.networks.penalties import penalised

CALLED = ("training", "mask")
"""Arguments of a call that any layer understands: the first pins its mode, the second must be null."""


def judge(class_name: str, config: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """Every problem of the keys of a layer of a known class.

    Args:
        class_name: The class.
        config: Keys and values as the file writes them.
        place: How messages call the layer.
    """
    keys = _form(class_name)
    own: dict[str, Any] = {}
    common: dict[str, Any] = {}
    for key, value in config.items():
        foreign = key not in keys.parameters and exported.knows(key)
        (common if foreign else own)[key] = value
    yield from keys.check(own, place)
    yield from exported.judge(common, place)
    if not isinstance(config.get("trainable", True), bool):
        yield Problem(f"{place}.trainable", f"must be true or false, got {show(config['trainable'])}")


def make(
    class_name: str,
    config: Mapping[str, Any],
    shapes: Sequence[Shape],
    arguments: Arguments | None = None,
    keras: int = 2,
) -> Layer:
    """The layer that a file describes; keys that it does not know are passed over.

    Args:
        class_name: Its class.
        config: Its keys, judged before.
        shapes: Keras shapes of the tensors that enter.
        arguments: How they are handed over; listed if absent.
        keras: The generation of Keras that wrote the file.

    Raises:
        NetworkError: Values or shapes that do not fit.
    """
    entry = layers.find(class_name)
    if entry is None:
        raise NetworkError(f"unknown layer class `{class_name}`{near_miss(class_name, layers.names())}")
    arguments = arguments or listed(len(shapes))
    if "arguments" not in entry.takes:
        for key, value in arguments.keywords.items():
            if value is not None and (key == "mask" or key not in CALLED):
                raise NetworkError(
                    f"is called with `{key}`: {show(value)}, which it does not take; export the model without"
                )
    known = _form(class_name).parameters
    first_is_channels = config.get("data_format") == "channels_first" and "data_format" not in known
    given = [_turned(shape) if first_is_channels else shape for shape in shapes]
    run = {"shapes": given, "shape": given[0] if given else (), "arguments": arguments, "keras": keras}
    keys = {key: value for key, value in config.items() if key in known}
    try:
        layer: Layer = _function(class_name)(*(run[name] for name in entry.takes), **keys)
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        # Values that pass for themselves, but not with this input
        entering = " and ".join(size(shape) for shape in shapes) or "nothing"
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NetworkError(
            f"cannot be made for an input of {entering}: {reason}; change its keys or its input"
        ) from error
    if first_is_channels:
        layer = _among_channels_first(layer, given[0])
    for shape in layer.shapes:
        if math.prod(extent or 1 for extent in shape) >= 2**63:
            raise NetworkError(f"its result of {size(shape)} is larger than any tensor can be; make it smaller")
    if config.get("trainable", True) is False:
        for step in layer.steps:
            if isinstance(step, nn.Module):
                step.requires_grad_(False)
        layer = replace(layer, variables=tuple(replace(one, trainable=False) for one in layer.variables))
    return replace(layer, variables=tuple(penalised(layer.variables, config)))


def made(description: Any, shapes: Sequence[Shape], keras: int) -> Layer:
    """The layer inside another one, such as that of `TimeDistributed`: an object of `class_name` and `config`.

    Raises:
        NetworkError: With every problem of it.
    """
    inside = description if isinstance(description, Mapping) else {}
    class_name, config = inside.get("class_name"), inside.get("config")
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        raise NetworkError(f"the layer inside must be an object of `class_name` and `config`, got {show(description)}")
    if class_name in reader.CONTAINERS:
        return _model(inside, shapes, keras)
    if layers.find(class_name) is None:
        raise NetworkError(f"unknown layer class `{class_name}`{near_miss(class_name, layers.names())}")
    if problems := list(judge(class_name, config, f"{config.get('name', 'the layer inside')} ({class_name})")):
        raise NetworkError(problems)
    return make(class_name, config, shapes, keras=keras)


def _model(description: Mapping[str, Any], shapes: Sequence[Shape], keras: int) -> Layer:
    """A whole model as one layer: the network that it describes is its module."""
    from rmldnn.networks.compile import build  # which makes layers, this one among them
    from rmldnn.networks.weights.numbering import located

    network = build(reader.inner(description, shapes, keras))
    places = {layer.path: place for layer, place in located(network.layers)}
    variables = [
        replace(
            variable,
            parameter=f"{layer.path}.{variable.parameter}",
            path="/".join(filter(None, (places[layer.path], variable.path))),
        )
        for layer, variable, _ in network.variables()
    ]
    first, *others = (tuple(shape[1:]) for shape in network.output_shapes)
    learning = sorted(variables, key=lambda variable: not variable.trainable)  # Keras lists what learns first
    return Layer(first, (network,), variables=tuple(learning), others=tuple(others))


def _turned(shape: Shape) -> Shape:
    return (*shape[1:], *shape[:1])


def _among_channels_first(layer: Layer, shape: Shape) -> Layer:
    """A layer among tensors that have their channels first in Keras already; `shape` is turned to channels last.

    Tensors are stored with Keras' last axis first, so theirs have the last spatial axis there; the moves are views.
    """
    steps = (*channels_last(shape), *layer.steps, *channels_first(layer.shape)) if layer.steps else ()
    return replace(layer, shape=(*layer.shape[-1:], *layer.shape[:-1]), steps=steps)


@functools.cache
def _function(class_name: str) -> Callable[..., Layer]:
    entry = layers.find(class_name)
    if entry is None:
        raise LookupError(class_name)  # `keras.read` lets no such graph pass
    return entry.load()


@functools.cache
def _form(class_name: str) -> Form:
    return form(_function(class_name))
