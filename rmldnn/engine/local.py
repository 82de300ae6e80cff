"""The engine of one process: plain torch, nothing in between."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.futures import Future

from rmldnn.engine import cores
from rmldnn.engine.compute import Compute
from rmldnn.engine.learning import Learning, Objective
from rmldnn.engine.memory import is_exhausted
from rmldnn.engine.prepared import last_channels, prepared
from rmldnn.engine.scattered import Scattered
from rmldnn.engine.zero import Zero
from rmldnn.errors import RmldnnError
from rmldnn.losses.reduction import alone
from rmldnn.steps import Batch

log = logging.getLogger("rmldnn")

_BUSY = 1.25
"""Programs that want to compute for each core of the machine; a run that ended a moment ago leaves a load of 1."""


class LocalEngine:
    """Computes on a device: the first GPU if there is one, else the CPU, unless told otherwise.

    Args:
        device: The device.
    """

    rank = 0
    world = 1
    local_world = 1
    placement = ""
    zero = Zero()
    total = staticmethod(alone)

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or (torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu"))
        self.devices: Sequence[str] = (str(self.device).upper(),)
        self.cores = cores.worth()
        self._network: nn.Module | None = None
        self._learning: Learning | Any | None = None

    def place(self, network: nn.Module) -> nn.Module:
        """Moves a network to the device."""
        return network.to(self.device)

    def prepare(
        self, network: nn.Module, optimizer: torch.optim.Optimizer | None = None, compute: Compute | None = None
    ) -> nn.Module:
        """Remembers what to update, and how."""
        compute = compute or Compute()
        self._network = self.place(network)
        if compute.channels_last:
            last_channels(network)
        if optimizer is not None:
            self._learning = Learning(optimizer, compute, self.device)
        return prepared(network, compute, self.device)

    def learn(self, objective: Objective, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """One update; returns the loss and the gradient's norm before it."""
        if self._learning is None:
            raise RuntimeError("learn() needs an optimizer: give prepare() one")
        return self._learning.learn(objective, batches)

    def evaluating(self, yes: bool) -> None:
        """Turns from learning to evaluation, or back."""
        if self._network is not None:
            self._network.train(not yes)
        if self._learning is not None:
            self._learning.evaluating(yes)

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer and of what goes with it."""
        return self._learning.state_dict() if self._learning is not None else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        if self._learning is not None:
            self._learning.load_state_dict(state)

    def weights(self, network: nn.Module) -> Mapping[str, Tensor | Scattered]:
        """A network's weights and statistics."""
        return network.state_dict()

    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place."""
        network.load_state_dict(weights)

    def begin_total(self, tensor: Tensor) -> Future[list[Tensor]]:
        """It is there."""
        done: Future[list[Tensor]] = Future()
        done.set_result([tensor])
        return done

    def told(self, text: str) -> str:
        """The same."""
        return text

    def everyone(self, thing: Any) -> list[Any]:
        """This one's."""
        return [thing]

    def gather(self, batch: Batch, output: Tensor) -> tuple[Sequence[str], Tensor | None]:
        """All samples are here already."""
        return batch.names, output

    def parts(self, batch: Batch | None, output: Tensor | None) -> Sequence[tuple[Sequence[str], Tensor | None]]:
        """Those of this process."""
        return [(batch.names if batch is not None else (), output)]

    def close(self) -> None:
        """Nobody to let go."""

    def __enter__(self) -> LocalEngine:
        return self

    def fit_threads(self) -> None:
        """Computes with no more threads than there are cores to fill; tells where other programs keep these busy.

        Threads wait for each other by spinning: with more of them than free cores a step takes many times as long.
        """
        if self.device.type != "cpu":
            return
        torch.set_num_threads(min(torch.get_num_threads(), self.cores))
        load, everywhere = os.getloadavg()[0], os.cpu_count() or 1
        if torch.get_num_threads() > 1 and load > everywhere * _BUSY:
            log.warning(
                "other programs keep the %d cores of this machine busy (load %.1f); where that lasts, "
                "OMP_NUM_THREADS=1 rmldnn ... is often several times as fast",
                everywhere,
                load,
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        meaning = self._meaning(error)
        self.close()
        if meaning is not None:
            raise meaning from error

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Tells errors of libraries as what they mean."""
        try:
            yield
        except Exception as error:
            meaning = self._meaning(error)
            if meaning is None:
                raise
            raise meaning from error

    def _meaning(self, error: BaseException | None) -> RmldnnError | None:
        """What an error of a library tells a user, if we know."""
        if not is_exhausted(error):
            return None
        return RmldnnError(
            f"the memory of {str(self.device).upper()} does not suffice ({' '.join(str(error).split())}); "
            'take a smaller `data.batch_size` (or "auto") and `data.test_batch_size`, keep less for the '
            "backward pass by `activation_checkpointing`, or compute with 16 bits: `precision` bf16 or fp16"
        )
