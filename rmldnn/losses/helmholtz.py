"""Helmholtz' equation, and with wave number 0 Poisson's equation with a source."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.equation import Equation, per_sample, require_axes
from rmldnn.losses.grid import coordinate, inner, mean_product, mean_square_slope, second_difference
from rmldnn.types import NonNegative

_X, _Y = 2, 3
_LOWEST = math.sqrt(2) * math.pi
"""The wave number of the first standing wave of a square."""


@component("Helmholtz2D_PDE")
class Helmholtz2D(Equation):
    r"""Helmholtz' equation $-\nabla^2 u - k^2 u = f$ on the unit square with $u = 0$ around, for a network that gives $u$.

    Targets are the sources $f$.

    Args:
        wave_number: $k$. Near $\pi \sqrt{i^2 + j^2}$ for positive integers $i$ and $j$, the numbers of standing waves,
            the equation has no solution that could be found.
        form: `energy`: $\int |\nabla u|^2 - k^2 u^2 - 2 f u$ with bilinear elements, two Gauss points along each
            axis; it has a minimum only below the first standing wave, $k < 4.44$. `strong`: the mean over inner nodes
            of the squared residual, with five points.
        boundary: As of `Poisson2D_PDE`; `exact` is $16 x (1 - x) y (1 - y)$ times the output.
        boundary_factor: Of the `penalty`.
        normalize: `sample` divides what each sample costs by the mean square of its source.

    Raises:
        ConfigError: The energy has no minimum.
    """  # noqa: E501 - one sentence

    given: ClassVar[str] = "sources"

    def __init__(
        self,
        *,
        wave_number: NonNegative = 0.0,
        form: Literal["energy", "strong"] = "energy",
        boundary: Literal["mask", "penalty", "exact"] = "mask",
        boundary_factor: NonNegative = 1.0,
        normalize: Literal["none", "sample"] = "none",
    ) -> None:
        super().__init__(boundary, boundary_factor)
        if form == "energy" and wave_number >= _LOWEST:
            message = f"the energy has no minimum from {_LOWEST:.4g} on, got {wave_number:g}; set `form` to `strong`"
            raise ConfigError(Problem("loss.wave_number", message))
        self.square = wave_number**2
        self.form = form
        self.normalize = normalize

    def space(self, output: Tensor) -> tuple[int, ...]:
        """The extent; see `Equation`."""
        return require_axes(self, output, 2)

    def cost(self, field: Tensor, target: Tensor) -> Tensor:
        """Energy or mean square residual of each sample."""
        if self.form == "energy":
            slopes = mean_square_slope(field, torch.ones_like(target))
            costs = slopes - mean_product(field, self.square * field + 2 * target)
        else:
            curvature = second_difference(field, _X) + second_difference(field, _Y)
            residual = inner(inner(curvature + self.square * field + target, _X), _Y)
            costs = residual.square().flatten(1).mean(1)
        return per_sample(costs, target.square().flatten(1).mean(1)) if self.normalize == "sample" else costs

    def masked(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The output with zeros around."""
        del target
        return torch.nn.functional.pad(inner(inner(output, _X), _Y), (1, 1, 1, 1))

    def constructed(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The output times a bubble that is 1 in the middle and 0 around."""
        del target
        x, y = coordinate(output, _X), coordinate(output, _Y)
        return 16 * x * (1 - x) * y * (1 - y) * output

    def misfit(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean square on the four sides."""
        del target
        sides = [output.select(axis, end) for axis in (_X, _Y) for end in (0, -1)]
        return torch.cat([side.flatten(1) for side in sides], 1).square().mean(1)
