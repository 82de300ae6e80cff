"""The engine of one process: plain torch, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import torch
from torch import Tensor, nn

from rmldnn.engine.gradient import gradient_norm
from rmldnn.losses.reduction import alone
from rmldnn.steps import Batch


class LocalEngine:
    """Computes on the first GPU if there is one, else on the CPU."""

    rank = 0
    world = 1
    local_world = 1
    total = staticmethod(alone)

    def __init__(self) -> None:
        self.device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
        self.devices: Sequence[str] = (str(self.device).upper(),)
        self._parameters: list[nn.Parameter] = []
        self._optimizer: torch.optim.Optimizer | None = None

    def place(self, network: nn.Module) -> nn.Module:
        """Moves a network to the device."""
        return network.to(self.device)

    def prepare(self, network: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> nn.Module:
        """Remembers what to update."""
        self._optimizer = optimizer
        if optimizer is not None:
            self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return self.place(network)

    def learn(self, loss: Tensor) -> Tensor:
        """One update by the gradient of the loss; returns the gradient's norm before it."""
        if self._optimizer is None:
            raise RuntimeError("learn() needs an optimizer: give prepare() one")
        loss.backward()  # type: ignore[no-untyped-call]
        norm = gradient_norm(self._parameters)
        self._optimizer.step()
        for parameter in self._parameters:  # what optimizer.zero_grad does, without its hooks
            parameter.grad = None
        return norm

    def gather(self, batch: Batch, output: Tensor) -> tuple[Sequence[str], Tensor | None]:
        """All samples are here already."""
        return batch.names, output

    def close(self) -> None:
        """Nobody to let go."""

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
