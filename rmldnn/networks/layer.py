"""What a layer becomes: steps on channels-first tensors, and the shape of their result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from rmldnn.networks.variable import Variable

Shape: TypeAlias = tuple[int | None, ...]
"""A shape as Keras gives it, channels last, without the batch; None where any size will do."""

Shapes: TypeAlias = Sequence[Shape]

Step: TypeAlias = nn.Module | Callable[..., Any]
"""A module or function of tensors; keywords are bound with `functools.partial`, which the compiled code unfolds."""


@dataclass(frozen=True)
class Activation:
    """A nonlinearity and what it is called; `linear` has no step."""

    name: str
    step: Callable[[Tensor], Tensor] | nn.Module | None = None


LINEAR = Activation("linear")


@dataclass(frozen=True)
class Layer:
    """A layer, ready to be put into a network.

    Args:
        shape: Keras shape of the result.
        steps: One after the other; the first takes the layer's inputs. A module with parameters is called `<layer>`
            in the network, so there is at most one. None at all if the layer changes nothing.
        activation: Follows the steps as an operation of its own, unless there are none: then it is the layer.
        variables: Its weights, in the order in which Keras lists and stores them.
        others: Keras shapes of further results; the last step then gives a tuple of all, and there is no activation.
    """

    shape: Shape
    steps: tuple[Step, ...] = ()
    activation: Activation = LINEAR
    variables: tuple[Variable, ...] = ()
    others: tuple[Shape, ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Keras shapes of all results."""
        return (self.shape, *self.others)
