"""Networks for samples of any extents."""

from __future__ import annotations

from dataclasses import replace

from rmldnn.networks.graph import Graph, Node, input_shape


def has_channels_first(graph: Graph) -> bool:
    """Whether some layer of a graph has its channels first, and so all its shapes."""
    return any(
        node.config.get("data_format") == "channels_first"
        or (node.model is not None and has_channels_first(node.model))
        for node in graph.nodes
    )


def without_extents(graph: Graph) -> Graph:
    """A graph whose inputs leave their spatial extents open; channels stay what they are."""
    entries = {ref.layer for ref in graph.inputs}
    place = 1 if has_channels_first(graph) else -1
    return replace(graph, nodes=tuple(_open(node, place) if node.name in entries else node for node in graph.nodes))


def _open(node: Node, channels: int) -> Node:
    shape = input_shape(node.config)
    if not isinstance(shape, list):
        return node
    free: list[int | None] = [None] * len(shape)
    free[channels] = shape[channels]
    others = {key: value for key, value in node.config.items() if key not in ("input_shape", "batch_shape")}
    return replace(node, config={**others, "batch_input_shape": free})
