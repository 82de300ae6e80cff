"""Losses that are a partial differential equation: nobody gives solutions, targets are what the equation depends on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias

from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, ratio, wide
from rmldnn.losses.target import moved
from rmldnn.types import Total

Boundary: TypeAlias = Literal["mask", "penalty", "exact"]
_NODES = 3
"""The fewest nodes along an axis between whose ends there is one."""


_TARGET = "the target"


class TargetError(ConfigError):
    """A target that an equation cannot take.

    Args:
        problems: What is wrong.
        place: Of the target in its batch.
    """

    def __init__(self, problems: Iterable[Problem] | Problem | str, place: int = 0) -> None:
        super().__init__(problems)
        self.place = place

    def named(self, names: Sequence[str]) -> ConfigError:
        """The same with the name of the target; `names` are those of the batch."""
        named = f"{_TARGET} of `{names[self.place]}`"
        return ConfigError([replace(one, message=one.message.replace(_TARGET, named, 1)) for one in self.problems])


class Equation(ABC):
    """An equation on a grid, as the mean over samples of what its energy or its residual is.

    Args:
        boundary: How values on the boundary are kept. `mask`: they are put into the field that the loss sees, the
            network's output stays as it is. `penalty`: the mean square of what is wrong there is added, times
            `boundary_factor`. `exact`: the field is made of the output so that it has them; that is then the solution.
        boundary_factor: Of the penalty.
    """

    component_name: ClassVar[str]
    given: ClassVar[str]
    """What targets are."""
    channels: ClassVar[int] = 1
    positive: ClassVar[bool] = False
    """Whether targets must be greater than 0."""

    def __init__(self, boundary: Boundary, boundary_factor: float = 1.0) -> None:
        self.boundary = boundary
        self.boundary_factor = boundary_factor

    def __call__(self, output: Tensor, target: Tensor, total: Total = alone) -> Tensor:
        """The loss of the global batch, a scalar; computed in float32 or wider.

        Args:
            output: Network output, shape (n, channels, *space).
            target: What the equation depends on, shape (n, 1, *space).
            total: Sums a tensor over all processes.

        Raises:
            ConfigError: Output and target are not what the equation needs.
        """
        target = self.require(output, target)
        output = wide(output)
        costs = self.cost(self.bound(output, target), target)
        if self.boundary == "penalty":
            costs = costs + self.boundary_factor * self.misfit(output, target)
        return ratio(costs.sum(), len(costs), total)

    def solution(self, output: Tensor, target: Tensor | None = None) -> Tensor:
        """What the network's output means: the field with exact values on the boundary where it is made so.

        Args:
            output: As of the loss.
            target: As of the loss; None where there is none.

        Raises:
            ConfigError: The field cannot be made without a target.
        """
        if self.boundary != "exact":
            return output
        return self.bound(wide(output), None if target is None else self.require(output, target))

    def bound(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The field that the equation is about."""
        if self.boundary == "penalty":
            return output
        return self.masked(output, target) if self.boundary == "mask" else self.constructed(output, target)

    @abstractmethod
    def cost(self, field: Tensor, target: Tensor) -> Tensor:
        """Energy or mean square residual of each sample, shape (n,)."""

    @abstractmethod
    def masked(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The output with the right values on the boundary put in."""

    @abstractmethod
    def constructed(self, output: Tensor, target: Tensor | None) -> Tensor:
        """A field that has the right values on the boundary whatever the output."""

    @abstractmethod
    def misfit(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean square of what is wrong on the boundary, for each sample."""

    @abstractmethod
    def space(self, output: Tensor) -> tuple[int, ...]:
        """The extent in space of an output.

        Raises:
            ConfigError: The equation is of another dimension, or of other channels.
        """

    def require(self, output: Tensor, target: Tensor) -> Tensor:
        """The target as the equation takes it: one channel, on the output's device, float32 or wider.

        Raises:
            ConfigError: Output and target are not what the equation needs.
        """
        extent = self.space(output)
        if min(extent) < _NODES:
            raise self.wrong(f"needs {_NODES} or more nodes along each axis, but outputs are {_words(extent)}")
        if target.shape == (len(output), *extent):
            target = target.unsqueeze(1)
        if target.shape != (len(output), 1, *extent):
            shape = "(" + ", ".join(map(str, target.shape)) + ")"
            raise self.wrong(
                f"needs {self.given} in one channel, {_words(extent)} as outputs are, but the target has shape {shape} "
                "(samples first, then channels); let targets be of one size with outputs, and see `channel_axis` in "
                "`data` for where their channels are"
            )
        if self.positive and not target.is_cuda and target.numel() and not target.min() > 0:
            lowest = target.flatten(1).amin(1)
            place = int((~(lowest > 0)).nonzero()[0])
            message = (
                f"needs {self.given} greater than 0, but {_TARGET} holds {float(lowest[place]):.4g}; repair it; a "
                "transform such as `log` that is for the network alone belongs to `input_transforms`"
            )
            raise TargetError(self.wrong(message).problems, place)
        return moved(target, output.device).to(wide(output).dtype)

    def wrong(self, message: str) -> ConfigError:
        """An error of this loss."""
        return ConfigError(Problem("loss", f"{self.component_name} {message}"))


def require_axes(equation: Equation, output: Tensor, axes: int) -> tuple[int, ...]:
    """The extent of outputs of an equation's channels and so many axes.

    Raises:
        ConfigError: There are others.
    """
    if output.ndim - 2 != axes or output.shape[1] != equation.channels:
        plural = "s" if equation.channels > 1 else ""
        raise equation.wrong(
            f"needs an output of {equation.channels} channel{plural} on {axes} axes in space, but the network gives "
            f"({', '.join(['n', *map(str, output.shape[1:])])}) (samples, channels, space); change its last layers"
        )
    return tuple(output.shape[2:])


def per_sample(costs: Tensor, scale: Tensor) -> Tensor:
    """Costs as multiples of a scale; as they are where that is 0."""
    return costs / scale.where(scale > 0, 1)


def _words(extent: tuple[int, ...]) -> str:
    return " x ".join(map(str, extent))
