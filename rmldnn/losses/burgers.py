"""Burgers' equation."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.evolution import Evolution
from rmldnn.losses.grid import second_difference
from rmldnn.types import NonNegative, Positive

_X = 2


@component("Burgers_PDE")
class Burgers(Evolution):
    r"""Burgers' equation $u_t + u u_x = \nu u_{xx}$ on the unit interval, for a network that gives $u$ at all instants.

    $u(x, 0) = b(x)$ and $u(0, t) = 0$. Targets are the initial conditions $b$, as the data type `pde` has them.
    Outputs hold one instant after another, the first of which is $t = 0$: as channels of a line, or in one channel as
    the first of two axes.

    The residual is taken half-way between two instants, where $u_t$ is the difference and all else the mean, and has
    second order. $u u_x$ is written as $(u^2 / 2)_x$, so that shocks move with the right speed.

    Args:
        diffusion_coeff: $\nu$. Waves get as steep as it lets them, about $4 \nu$ wide.
        boundary_factor: Of the `penalty`; larger ones, such as 64, keep the initial condition better.
        duration: The time of the last instant.
        boundary: `penalty`: the mean squares of $u(x, 0) - b(x)$ and of $u(0, t)$ are added, times `boundary_factor`.
            `mask`: these values are put into the field that the loss sees. `exact`: $u = b + t / T$ times the output
            with the duration $T$, and these values put in, which is also what the task `pde` predicts.
        right: The end at $x = 1$: `open`, where $u_x = 0$ as far as there is diffusion, or `zero`, where $u = 0$.
        stencil: Of $(u^2 / 2)_x$: `central` is of second order; `upwind` of first order, without the waves that
            central differences make at shocks that are steeper than the grid.
    """

    dimensions: ClassVar[tuple[int, ...]] = (1,)

    def __init__(
        self,
        *,
        diffusion_coeff: NonNegative = 0.0,
        boundary_factor: NonNegative = 1.0,
        duration: Positive = 1.0,
        boundary: Literal["mask", "penalty", "exact"] = "penalty",
        right: Literal["open", "zero"] = "open",
        stencil: Literal["central", "upwind"] = "central",
    ) -> None:
        super().__init__(duration, (0, -1) if right == "zero" else (0,), boundary, boundary_factor)
        self.diffusion_coeff = diffusion_coeff
        self.stencil = stencil

    def rate(self, field: Tensor) -> Tensor:
        """The negative slope of the flux, and diffusion."""
        flux = _upwind(field) if self.stencil == "upwind" else _central(field)
        return self.diffusion_coeff * second_difference(field, _X) - flux * (field.shape[_X] - 1)


def _central(field: Tensor) -> Tensor:
    """Differences of the flux over two cells, halved; a parabola goes on beyond the ends."""
    flux = field.square() / 2
    a, b, c = flux[..., :1], flux[..., 1:2], flux[..., 2:3]
    z, y, x = flux[..., -1:], flux[..., -2:-1], flux[..., -3:-2]
    wider = torch.cat([3 * (a - b) + c, flux, 3 * (z - y) + x], _X)
    return (wider[..., 2:] - wider[..., :-2]) / 2


def _upwind(field: Tensor) -> Tensor:
    """Differences of Godunov's fluxes, which come from where the wave comes from; values go on beyond the ends."""
    wider = torch.cat([field[..., :1], field, field[..., -1:]], _X)
    flux = torch.maximum(wider[..., :-1].clamp_min(0).square(), wider[..., 1:].clamp_max(0).square()) / 2
    return flux.diff(dim=_X)
