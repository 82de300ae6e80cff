"""Poisson's equation for a coefficient that varies in space."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.equation import Boundary, per_sample
from rmldnn.losses.faces import BetweenFaces, X, effective
from rmldnn.losses.grid import divergence, inner, mean_square_slope, middle, slope
from rmldnn.types import NonNegative


class _Poisson(BetweenFaces):
    """The equation in any dimension; for the keys see `Poisson2D_PDE`."""

    given: ClassVar[str] = "coefficients"
    positive: ClassVar[bool] = True
    ends: ClassVar[tuple[tuple[float, float], ...]] = ((1.0, 0.0),)

    def __init__(self, form: str, boundary: Boundary, boundary_factor: float, normalize: str) -> None:
        super().__init__(boundary, boundary_factor)
        self.form = form
        self.normalize = normalize

    def cost(self, field: Tensor, target: Tensor) -> Tensor:
        """Energy or mean square residual of each sample."""
        scale = effective(target)
        if self.form == "energy":
            costs = mean_square_slope(field, target)
        else:
            residual = sum(_outflow(field, target, axis) for axis in range(X, field.ndim))
            assert isinstance(residual, Tensor)  # noqa: S101 - there are axes
            costs, scale = residual.square().flatten(1).mean(1), scale.square()
        return per_sample(costs, scale) if self.normalize == "sample" else costs


def _outflow(field: Tensor, coefficient: Tensor, axis: int) -> Tensor:
    """What flows out along an axis at each node that is on neither face."""
    return inner(divergence(middle(coefficient, axis) * slope(field, axis), axis), X)


@component("Poisson2D_PDE")
class Poisson2D(_Poisson):
    r"""Poisson's equation $-\nabla \cdot (\nu \nabla u) = 0$ on the unit square, for a network that gives $u$.

    $u = 1$ at $x = 0$, $u = 0$ at $x = 1$, and nothing flows through the other sides. $x$ is the first axis in space.
    Targets are the coefficients $\nu$, so `target_path` is the `input_path`.

    Args:
        form: `energy`: $\int \nu |\nabla u|^2$, whose minimum is the solution, with bilinear elements for $u$ and
            $\nu$, two Gauss points along each axis. `strong`: the mean over nodes of the squared residual of
            $\nabla \cdot (\nu \nabla u)$, by fluxes between neighbours with the mean of their coefficients.
        boundary: How $u$ gets its values at $x = 0$ and $x = 1$. `mask`: they are put into the field that the loss
            sees; what is predicted is the output as it is. `penalty`: the mean square of what is wrong on either face
            is added, times `boundary_factor`. `exact`: $u = 1 - x + 4 x (1 - x)$ times the output, which is also what
            the task `pde` predicts.
        boundary_factor: Of the `penalty`.
        normalize: `sample` divides the energy of each sample by that of the best field that depends on $x$ alone, so
            that samples of small coefficients count as much as others; the residual by its square.
    """

    axes: ClassVar[int] = 2

    def __init__(
        self,
        *,
        form: Literal["energy", "strong"] = "energy",
        boundary: Literal["mask", "penalty", "exact"] = "mask",
        boundary_factor: NonNegative = 1.0,
        normalize: Literal["none", "sample"] = "none",
    ) -> None:
        super().__init__(form, boundary, boundary_factor, normalize)


@component("Poisson3D_PDE")
class Poisson3D(_Poisson):
    """Poisson's equation on the unit cube, with trilinear elements; otherwise as `Poisson2D_PDE`.

    Args:
        form: As of `Poisson2D_PDE`.
        boundary: As of `Poisson2D_PDE`.
        boundary_factor: Of the `penalty`.
        normalize: As of `Poisson2D_PDE`.
    """

    axes: ClassVar[int] = 3

    def __init__(
        self,
        *,
        form: Literal["energy", "strong"] = "energy",
        boundary: Literal["mask", "penalty", "exact"] = "mask",
        boundary_factor: NonNegative = 1.0,
        normalize: Literal["none", "sample"] = "none",
    ) -> None:
        super().__init__(form, boundary, boundary_factor, normalize)
