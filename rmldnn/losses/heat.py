"""The heat equation."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.evolution import Evolution
from rmldnn.losses.grid import second_difference
from rmldnn.types import NonNegative, Positive


@component("Heat_PDE")
class Heat(Evolution):
    r"""The heat equation $u_t = \kappa \nabla^2 u$ on the unit interval, square or cube, for a network that gives $u$.

    Targets are the initial conditions. Outputs hold one instant after another, the first of which is $t = 0$: as
    channels, or in one channel as the first axis. The residual is taken half-way between two instants, as Crank and
    Nicolson do, with central differences in space, and has second order.

    Args:
        diffusion_coeff: $\kappa$.
        duration: The time of the last instant.
        sides: `zero`: $u = 0$ around. `insulated`: nothing flows through the boundary.
        boundary: `mask`: the initial condition and zeros around are put into the field that the loss sees.
            `penalty`: the mean square of what is wrong there is added, times `boundary_factor`. `exact`: $u$ is the
            initial condition and $t / T$ times the output with the duration $T$, and these values put in, which is
            also what the task `pde` predicts.
        boundary_factor: Of the `penalty`.
    """

    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(
        self,
        *,
        diffusion_coeff: Positive = 1.0,
        duration: Positive = 1.0,
        sides: Literal["zero", "insulated"] = "zero",
        boundary: Literal["mask", "penalty", "exact"] = "mask",
        boundary_factor: NonNegative = 1.0,
    ) -> None:
        super().__init__(duration, (0, -1) if sides == "zero" else (), boundary, boundary_factor)
        self.diffusion_coeff = diffusion_coeff

    def rate(self, field: Tensor) -> Tensor:
        """Diffusion."""
        curvatures = [second_difference(field, axis) for axis in range(2, field.ndim)]
        return self.diffusion_coeff * torch.stack(curvatures).sum(0)
