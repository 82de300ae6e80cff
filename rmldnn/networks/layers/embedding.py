"""Vectors for integers."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from rmldnn.component import component
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import channels_first, channels_last
from rmldnn.networks.variable import Variable
from rmldnn.types import Count


@component("Embedding")
def embedding(
    shape: Shape,
    *,
    input_dim: Count,
    output_dim: Count,
    embeddings_initializer: str | dict[str, Any] | None = None,
    mask_zero: bool = False,  # noqa: ARG001
    input_length: int | list[int | None] | None = None,  # noqa: ARG001
) -> Layer:
    """A trained vector for each integer.

    Args:
        shape: Keras shape of the input.
        input_dim: How many integers there are; they begin with 0.
        output_dim: Length of the vectors, which become the channels.
        embeddings_initializer: Initial vectors; torch's own if not given.
        mask_zero: Whether 0 stands for nothing; what follows must not depend on it.
        input_length: What Keras once wanted to know.
    """
    variables = [
        Variable("embeddings", "weight", (input_dim, output_dim), initializer=embeddings_initializer),
    ]
    module = initialized(nn.Embedding, input_dim, output_dim, variables=variables)
    result = (*shape, output_dim)
    steps: tuple[Step, ...] = (*channels_last(shape), as_indices, module, *channels_first(result))
    return Layer(result, steps, variables=tuple(variables))


def as_indices(x: Tensor) -> Tensor:
    """Integers that came as numbers of another type."""
    return x.long()


@component("Masking")
def masking(shape: Shape, *, mask_value: float = 0.0) -> Layer:
    """Zeros at the places of a sequence where all channels have one value; layers that would skip them are refused.

    Args:
        shape: Keras shape of the input, (time, channels).
        mask_value: The value.
    """
    return Layer(shape, (partial(without, value=mask_value),))


def without(x: Tensor, value: float) -> Tensor:
    """`x`, shape (N, C, T), with zeros where all channels are `value`."""
    return x * (x != value).any(1, keepdim=True)
