"""Masks that Keras sends along with tensors: places of a sequence that stand for nothing.

They are not computed here. A network whose result depends on one is refused; others give what Keras gives.
"""

from __future__ import annotations

from collections.abc import Iterator

from rmldnn.errors import Problem
from rmldnn.networks.graph import Graph, Node, Ref

HEEDING = (
    "lstm", "gru", "simplernn", "rnn", "convlstm1d", "convlstm2d", "convlstm3d", "bidirectional", "timedistributed",
    "globalaveragepooling1d", "multiheadattention", "groupqueryattention", "groupedqueryattention", "attention",
    "additiveattention", "softmax",
)  # fmt: skip
"""Classes, in lower case, that compute something else where there is a mask."""

ENDING = ("conv", "separableconv", "depthwiseconv", "flatten", "maxpooling", "averagepooling", "globalmaxpooling")
"""What names of classes begin with that let no mask through."""


def problems(graph: Graph) -> Iterator[Problem]:
    """The layers whose result depends on a mask; masks that enter nested models are not followed."""
    origins: dict[Ref, str] = {}
    for node, number, sources in graph.calls:
        origin = next((origins[ref] for ref in sources if ref in origins), None)
        kind = node.class_name.lower()
        if origin is not None and kind in HEEDING:
            yield Problem(
                str(node),
                f"depends on the mask that `{origin}` makes, and masks are not computed; "
                "train without `mask_zero` and `Masking`",
                graph.place,
            )
        elif _makes(node) or (origin is not None and not kind.startswith(ENDING)):
            origins[Ref(node.name, number)] = origin or node.name
        if node.model is not None:
            yield from problems(node.model)


def _makes(node: Node) -> bool:
    return node.class_name.lower() == "masking" or (
        node.class_name.lower() == "embedding" and node.config.get("mask_zero") is True
    )
