"""Equations in time and space, from an initial condition; an output holds all instants."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from rmldnn.losses.equation import Boundary, Equation
from rmldnn.losses.grid import coordinate

_TIME = 1
_SPACE = 2


class Evolution(Equation):
    r"""An equation $u_t = R(u)$, as the mean square over instants and nodes of its residual.

    Between two instants the residual is $(u^{k+1} - u^k) / \Delta t - (R(u^k) + R(u^{k+1})) / 2$, of second order.
    Fields are (n, instants, *space); an output may have an axis of one channel in front of the instants.

    Args:
        duration: From the first instant to the last.
        walls: The ends of every axis where u = 0: 0 for the first node, -1 for the last.
        boundary: See `Equation`.
        boundary_factor: See `Equation`.
    """

    given: ClassVar[str] = "initial conditions"
    dimensions: ClassVar[tuple[int, ...]]
    """The numbers of axes in space that the equation knows."""

    def __init__(self, duration: float, walls: tuple[int, ...], boundary: Boundary, boundary_factor: float) -> None:
        super().__init__(boundary, boundary_factor)
        self.duration = duration
        self.walls = walls

    @abstractmethod
    def rate(self, field: Tensor) -> Tensor:
        """R(u) at all instants and nodes; whatever at nodes of walls."""

    def cost(self, field: Tensor, target: Tensor) -> Tensor:
        """The mean square residual of each sample."""
        del target
        return self.residual(field).square().flatten(1).mean(1)

    def residual(self, field: Tensor) -> Tensor:
        """What is wrong between neighbouring instants, at all nodes that are not of a wall."""
        rate, steps = self.rate(field), field.shape[_TIME] - 1
        residual = field.diff(dim=_TIME) * (steps / self.duration) - (rate[:, 1:] + rate[:, :-1]) / 2
        for axis in range(_SPACE, field.ndim):
            first = int(0 in self.walls)
            residual = residual.narrow(axis, first, field.shape[axis] - first - int(-1 in self.walls))
        return residual

    def bound(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The field, without an axis for its one channel."""
        if target is None:
            raise self.wrong("makes solutions with exact boundaries of initial conditions; give `test_target_path`")
        return super().bound(self._instants(output, target), target)

    def solution(self, output: Tensor, target: Tensor | None = None) -> Tensor:
        """What the output means, of its shape."""
        return super().solution(output, target).view_as(output)

    def masked(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The output with the initial condition at the first instant, and zeros on the walls."""
        assert target is not None  # noqa: S101 - `bound` has seen it
        first = target.view(len(output), 1, *output.shape[2:])
        later = output[:, 1:]
        for axis in range(_SPACE, later.ndim):
            ends = [int(0 in self.walls), int(-1 in self.walls)]
            open_part = later.narrow(axis, ends[0], later.shape[axis] - sum(ends))
            later = nn.functional.pad(open_part, [0, 0] * (later.ndim - 1 - axis) + ends)
        return torch.cat([first, later], _TIME)

    def constructed(self, output: Tensor, target: Tensor | None) -> Tensor:
        """The initial condition, and the output times the part of the duration that is over; zeros on the walls."""
        assert target is not None  # noqa: S101 - `bound` has seen it
        return self.masked(target.view(len(output), 1, *output.shape[2:]) + coordinate(output, _TIME) * output, target)

    def misfit(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean square at the first instant, and that on the walls later."""
        field = self._instants(output, target)
        wrong = (field[:, 0] - target[:, 0]).square().flatten(1).mean(1)
        walls = [field[:, 1:].select(axis, end).flatten(1) for axis in range(_SPACE, field.ndim) for end in self.walls]
        return wrong + torch.cat(walls, 1).square().mean(1) if walls else wrong

    def space(self, output: Tensor) -> tuple[int, ...]:
        """The extent; see `Equation`."""
        in_front = output.shape[1] == 1 and output.ndim - 3 in self.dimensions
        instants, *extent = output.shape[2:] if in_front else output.shape[1:]
        if len(extent) not in self.dimensions or instants < 2:
            raise self.wrong(
                "needs an output of all instants, two or more: as channels, or in one channel as the first axis; but "
                f"the network gives ({', '.join(['n', *map(str, output.shape[1:])])}) (samples, channels, space)"
            )
        return tuple(extent)

    def _instants(self, output: Tensor, target: Tensor) -> Tensor:
        return output.squeeze(1) if output.ndim > target.ndim else output
