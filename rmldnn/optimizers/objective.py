"""A loss as a function of one flat vector of all parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rmldnn.errors import ConfigError, Problem


@dataclass(frozen=True, eq=False)
class Point:
    """What is known of the objective at one place."""

    x: Tensor
    value: float
    gradient: Tensor
    norm: float
    """Of the gradient, L2."""

    @property
    def finite(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.value) and math.isfinite(self.norm)

    @property
    def noise(self) -> float:
        """Differences of the loss as small as this are rounding."""
        return 100 * torch.finfo(self.gradient.dtype).eps * abs(self.value)


class Objective:
    """Evaluates a closure where it is asked to, and counts.

    Args:
        parameters: What the loss depends on; the last place asked for stays in them.
        closure: Computes the loss, a differentiable scalar, the same on every process.
        reduce: Makes the gradient of the loss from this process's part of it.
        budget: How many evaluations there may be; a product with the Hessian counts as one, as it costs as much.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        closure: Callable[[], Tensor],
        reduce: Callable[[Tensor], Tensor],
        budget: int,
    ) -> None:
        self._parameters = parameters
        self._closure = closure
        self._reduce = reduce
        self._gradients: Sequence[Tensor] = ()
        self.left = budget
        self.evaluations = 0
        self.products = 0

    @property
    def here(self) -> Tensor:
        """All parameters as one vector, a copy."""
        return torch.cat([parameter.detach().reshape(-1) for parameter in self._parameters])

    def move(self, x: Tensor) -> None:
        """Writes a vector into the parameters."""
        with torch.no_grad():
            torch._foreach_copy_(list(self._parameters), self._split(x))

    def at(self, x: Tensor, *, twice: bool = False) -> Point:
        """Evaluates loss and gradient; `twice` allows `product` until the next evaluation."""
        self.move(x)
        self.left -= 1
        self.evaluations += 1
        with torch.enable_grad():
            loss = self._closure()
            gradients = torch.autograd.grad(
                loss, self._parameters, create_graph=twice, allow_unused=True, materialize_grads=True
            )
        self._gradients = gradients if twice else ()
        gradient = self._reduce(self._flat(gradients))
        value, norm = torch.stack([loss.detach().to(gradient.dtype), torch.linalg.vector_norm(gradient)]).tolist()
        return Point(x, value, gradient, norm)

    def product(self, vector: Tensor) -> Tensor:
        """The Hessian at the last place evaluated `twice`, times a vector.

        Raises:
            ConfigError: Some operation of the network has no second derivative.
        """
        self.left -= 1
        self.products += 1
        pairs = zip(self._gradients, self._split(vector), strict=True)
        curved = [(gradient, part) for gradient, part in pairs if gradient.requires_grad]
        if not curved:  # the loss is linear
            return torch.zeros_like(vector)
        gradients, parts = zip(*curved, strict=True)
        try:
            products = torch.autograd.grad(
                gradients, self._parameters, parts, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        except (RuntimeError, NotImplementedError) as error:
            if "not implemented" not in str(error) and "double backward" not in str(error).lower():
                raise
            message = f"`newton-cg` needs second derivatives, which a layer does not have ({error}); use `lbfgs`"
            raise ConfigError(Problem("optimizer.method", message)) from error
        return self._reduce(self._flat(products))

    def _flat(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    def _split(self, vector: Tensor) -> list[Tensor]:
        parts = torch.split(vector, [parameter.numel() for parameter in self._parameters])
        return [part.view(parameter.shape) for part, parameter in zip(parts, self._parameters, strict=True)]
