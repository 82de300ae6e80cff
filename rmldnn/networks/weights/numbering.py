"""Where Keras keeps the weights of a layer in files of its newer layout."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rmldnn.networks import layers as registry
from rmldnn.networks.network import LayerFacts

VARIABLES = "vars"
"""The group of a layer's weights, within that of the layer."""
RENAMED = {"GroupQueryAttention": "GroupedQueryAttention", "Model": "Functional"}
"""Classes that files call otherwise than their groups."""


def located(layers: Sequence[LayerFacts], outer: str = "") -> Iterator[tuple[LayerFacts, str]]:
    """The layers of a model, and those of models in it, with their groups: `layers/functional/layers/conv2d_1`.

    A group is called after the layer's class and a number, counted for each class in the order of the list.

    Args:
        layers: The model's layers.
        outer: The group of the model and a slash; empty for the outermost.
    """
    counts: Counter[str] = Counter()
    for layer in layers:
        known = registry.find(layer.class_name)
        title = known.name if known is not None else layer.class_name
        stem = _snake_case(RENAMED.get(title, title))
        place = f"{outer}layers/{stem}_{counts[stem]}" if counts[stem] else f"{outer}layers/{stem}"
        counts[stem] += 1
        yield layer, place
        yield from located(layer.layers, f"{place}/")


def _snake_case(title: str) -> str:
    """As Keras does it for groups, which differs from how it makes names of layers: `conv_lstm2d`."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", title)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
