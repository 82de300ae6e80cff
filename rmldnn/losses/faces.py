"""Equations on a square or a cube between two faces with given values; nothing flows through the other faces."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rmldnn.losses.equation import Equation, require_axes
from rmldnn.losses.grid import coordinate, inner

X = 2
"""The axis from one face to the other, which is the first one in space."""


class BetweenFaces(Equation):
    """Has given values at x = 0 and at x = 1."""

    axes: ClassVar[int]
    """In space."""
    ends: ClassVar[tuple[tuple[float, float], ...]]
    """Values at x = 0 and at x = 1, for each channel."""

    def space(self, output: Tensor) -> tuple[int, ...]:
        """The extent; see `Equation`."""
        return require_axes(self, output, self.axes)

    def masked(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The output with the values of both faces put in."""
        del target
        lift = self._lift(output).expand_as(output)
        n = output.shape[X]
        return torch.cat([lift.narrow(X, 0, 1), inner(output, X), lift.narrow(X, n - 1, 1)], X)

    def constructed(self, output: Tensor, target: Tensor | None) -> Tensor:
        """What is linear between the faces, and 4 x (1 - x) times the output."""
        del target
        x = coordinate(output, X)
        return self._lift(output) + 4 * x * (1 - x) * output

    def misfit(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean square on both faces."""
        del target
        off = (output - self._lift(output)).square()
        return off.select(X, 0).flatten(1).mean(1) + off.select(X, -1).flatten(1).mean(1)

    def _lift(self, output: Tensor) -> Tensor:
        """What is linear between the faces, shape (1, channels, nodes, 1...)."""
        x = coordinate(output, X)
        return torch.stack([first + (last - first) * x for first, last in self.ends])[None]


def effective(coefficient: Tensor) -> Tensor:
    """The energy of the best field that depends on x alone, for a unit step between the faces; for each sample.

    Slices resist one after another: their mean coefficients add as resistances do. Energies of solutions are a little
    less, so this makes energies of samples alike whose coefficients differ by orders of magnitude.
    """
    slices = coefficient.flatten(X + 1).mean(X + 1).flatten(1)
    between = (slices[:, 1:] + slices[:, :-1]) / 2
    return 1 / (1 / between).mean(1)
