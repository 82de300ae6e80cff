"""`"semantics": "original"`: a network trained as the original rmldnn trained it, where that is not what Keras says.

Four things differ, all of them in training: initializers of the file are passed over for torch's own, batch norm has
a weight and a bias whatever `center` and `scale` say, a momentum of 0.5 or less counts as torch's, and a frozen batch
norm goes on using, and updating, the statistics of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rmldnn.networks.graph import Graph, Node

_TORCHS = 0.5
"""A momentum up to this one is torch's, which is one minus Keras'."""


def as_original(graph: Graph) -> Graph:
    """The graph whose layers do in Keras' terms what the original did; `build` treats frozen batch norm."""
    return replace(graph, nodes=tuple(map(_node, graph.nodes)))


def _node(node: Node) -> Node:
    if node.model is not None:
        return replace(node, model=as_original(node.model))
    return replace(node, config=_config(node.class_name, node.config))


def _config(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if class_name.lower() == "batchnormalization":
        momentum = config.get("momentum", 0.99)
        torchs = isinstance(momentum, (int, float)) and momentum <= _TORCHS
        return {**config, "center": True, "scale": True, "momentum": 1 - momentum if torchs else momentum}
    return {key: _inner(value) for key, value in config.items() if not key.endswith("_initializer")}


def _inner(value: Any) -> Any:
    """The layer inside a wrapper."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return {**value, "config": _config(str(value.get("class_name")), value["config"])}
    return value
