"""Where a weight of Keras is in a module: what initialisation, weight files and parameter counts go by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Variable:
    """One weight of a layer as Keras knows it, and where its numbers are.

    A module stores the same numbers in another order of axes, and may fold neighbouring axes into one; whatever is
    written about a weight in Keras' terms applies to `view(parameter)`.

    Args:
        name: Keras' own name: `kernel`, `bias`, `gamma`, `moving_mean`.
        parameter: The parameter or buffer of the layer's module that holds it: `weight`.
        shape: Keras' shape.
        axes: The axes of `shape` in the order that the parameter has them; empty if it has them in Keras' order.
        initializer: Initial values as the file writes them: a name, an object of `class_name` and `config`, or null
            for what torch does.
        path: The part of the layer that owns it, as newer Keras files call it: `cell`, `query_dense`; empty for the
            layer itself.
        trainable: False for statistics.
        penalty: Factors of the sum of magnitudes and of the sum of squares that Keras adds to the loss.
    """

    name: str
    parameter: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] = ()
    initializer: str | Mapping[str, Any] | None = None
    path: str = ""
    trainable: bool = True
    penalty: tuple[float, float] = (0.0, 0.0)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def view(self, parameter: Tensor) -> Tensor:
        """The parameter's own numbers in Keras' shape; what is written into the view is written into the parameter."""
        axes = self.axes or tuple(range(len(self.shape)))
        ordered = parameter.detach().view([self.shape[axis] for axis in axes])
        return ordered.permute([axes.index(axis) for axis in range(len(axes))])
