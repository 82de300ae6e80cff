"""When a descent ends."""

from __future__ import annotations

from dataclasses import dataclass

from rmldnn.optimizers.objective import Objective, Point


@dataclass
class Stopping:
    """The limits and tolerances of PETSc's TAO: asked once before each iteration, it counts them.

    Args:
        iterations: How many there may be.
        absolute: A norm of the gradient that is small enough.
        relative: The same in units of the loss.
    """

    iterations: int
    absolute: float
    relative: float
    count: int = 0

    def at(self, point: Point, objective: Objective) -> bool:
        """Whether to end here."""
        if self.converged(point) or self.count >= self.iterations or objective.left <= 0:
            return True
        self.count += 1
        return False

    def converged(self, point: Point) -> bool:
        """Whether the gradient is small enough; an exact zero always is."""
        return point.norm <= max(self.absolute, self.relative * abs(point.value))
