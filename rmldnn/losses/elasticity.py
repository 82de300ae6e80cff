"""Linear elasticity in the plane."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.equation import per_sample
from rmldnn.losses.faces import BetweenFaces, X, effective
from rmldnn.losses.grid import gauss, slope
from rmldnn.types import NonNegative

_Y = 3


@component("Elasticity2D_PDE")
class Elasticity2D(BetweenFaces):
    r"""Linear elasticity of a unit square that is pulled at one side, for a network that gives two displacements.

    The side at $x = 0$ is held, that at $x = 1$ is moved by 1 along $x$ and held along $y$, and the other sides are
    free; as all is linear, multiply the result by the displacement that is meant. The two channels of the output are
    displacements along $x$, the first axis in space, and $y$. Targets are Young's modulus $E$.

    The loss is the energy $\int \sigma : \epsilon$, whose minimum is the solution, with bilinear elements for
    displacements and modulus, two Gauss points along each axis.

    Args:
        poisson_ratio: How much the material gets thinner when it is pulled; from 0 to less than 0.5.
        plane: `stress` for a thin plate, `strain` for a long body.
        boundary: As of `Poisson2D_PDE`; `exact` is what is linear between both sides, and $4 x (1 - x)$ times the
            output.
        boundary_factor: Of the `penalty`.
        normalize: `sample` divides the energy of each sample by that of the best displacement along $x$ that depends
            on $x$ alone, of a material of ratio 0.

    Raises:
        ConfigError: The ratio is that of no material.
    """

    given: ClassVar[str] = "Young's modulus"
    channels: ClassVar[int] = 2
    positive: ClassVar[bool] = True
    axes: ClassVar[int] = 2
    ends: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 1.0), (0.0, 0.0))

    def __init__(
        self,
        *,
        poisson_ratio: NonNegative = 0.3,
        plane: Literal["stress", "strain"] = "stress",
        boundary: Literal["mask", "penalty", "exact"] = "mask",
        boundary_factor: NonNegative = 1.0,
        normalize: Literal["none", "sample"] = "none",
    ) -> None:
        super().__init__(boundary, boundary_factor)
        if poisson_ratio >= 0.5:
            raise ConfigError(Problem("loss.poisson_ratio", f"must be less than 0.5, got {poisson_ratio:g}"))
        self.normalize = normalize
        self.shear = 1 / (2 * (1 + poisson_ratio))
        """Lamé's second parameter for a modulus of 1."""
        rest = 1 - poisson_ratio if plane == "stress" else 1 - 2 * poisson_ratio
        self.bulk = poisson_ratio / ((1 + poisson_ratio) * rest)
        """The first one."""

    def cost(self, field: Tensor, target: Tensor) -> Tensor:
        """The energy of each sample."""
        xx, yx = (_twice(gauss(slope(field, X), _Y), X)).unbind(1)  # of both displacements along x
        xy, yy = (_twice(gauss(slope(field, _Y), X), _Y)).unbind(1)
        modulus = gauss(gauss(target, X), _Y).squeeze(1)
        change, turn = (xx + yy).square(), (xy + yx).square()
        density = self.bulk * change + self.shear * (2 * (xx.square() + yy.square()) + turn)
        costs = (modulus * density).flatten(1).mean(1)
        return per_sample(costs, effective(target)) if self.normalize == "sample" else costs


def _twice(values: Tensor, axis: int) -> Tensor:
    """What is constant along an axis of each cell, at both of its Gauss points."""
    sizes = [1] * values.ndim
    sizes[axis] = 2
    return values.repeat(sizes)
