"""What the loop asks of an engine, and the choice of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.futures import Future

from rmldnn.engine.compute import Compute
from rmldnn.engine.learning import Objective
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.scattered import Scattered
from rmldnn.engine.zero import Zero
from rmldnn.steps import Batch


class Engine(Protocol):
    """One process of a run, and its way to talk to the others.

    A context manager: left by an exception it lets go of the other processes at once, so that none waits in vain.
    """

    rank: int
    """Number of this process; 0 writes."""
    world: int
    """Number of processes."""
    local_world: int
    """Number of processes of the run on this machine."""
    cores: int
    """Cores of this machine that fall to this process."""
    device: torch.device
    """Where this process computes."""
    devices: Sequence[str]
    """Devices of the whole run as the log names them, each once: `CPU`, `CUDA:0`, `CUDA:1`."""
    zero: Zero
    """What the processes share."""
    placement: str
    """How the processes share their machines, in words; empty for one process."""

    def place(self, network: nn.Module) -> nn.Module:
        """Moves a network to the device; before its optimizer is made, which may keep numbers beside the parameters."""
        ...

    def prepare(
        self, network: nn.Module, optimizer: torch.optim.Optimizer | None = None, compute: Compute | None = None
    ) -> nn.Module:
        """Makes ready for learning, or for mere evaluation without optimizer; all processes start with equal weights.

        Args:
            network: The network.
            optimizer: Made for its parameters.
            compute: How to compute; plainly by default.

        Returns:
            What the loop calls instead of the network; it shares the network's parameters.
        """
        ...

    def learn(self, objective: Objective, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """One update by the gradient of the mean loss of some batches, weighed by their samples.

        Args:
            objective: From this process's share of a batch to the loss of the global batch, a scalar, the same on
                every process, its sums taken by `total`.
            batches: The shares, on the device.

        Returns:
            The mean loss, and the L2 norm of its gradient before the update; scalars, on the device.
        """
        ...

    def evaluating(self, yes: bool) -> None:
        """Turns from learning to evaluation, or back: the network's mode, and which weights it computes with."""
        ...

    def weights(self, network: nn.Module) -> Mapping[str, Tensor | Scattered]:
        """The weights and statistics of a network, by name, as its `state_dict` has them.

        Args:
            network: What was prepared, or a part of it.
        """
        ...

    def load_weights(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts others in their place, one at a time.

        Args:
            network: What was prepared, or a part of it.
            weights: All of them, the same in all processes; those of a memory map need not fit into memory.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the weights, of the same form in all processes; asked for while learning.

        Returns:
            Numbers, texts, lists and dictionaries of them, tensors, and `Scattered` where a process has only a part.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint, once prepared."""
        ...

    def total(self, tensor: Tensor) -> Tensor:
        """Sums a tensor over all processes, gradients included; all call it, with equal shapes."""
        ...

    def begin_total(self, tensor: Tensor) -> Future[list[Tensor]]:
        """Begins to sum a tensor of the CPU over all processes, in its place; all call it, with equal shapes.

        Returns:
            What is done when the sum is there.
        """
        ...

    def told(self, text: str) -> str:
        """What the first process says, in all of them."""
        ...

    def everyone(self, thing: Any) -> list[Any]:
        """What each process gives, by rank, in all of them; something small that can be pickled."""
        ...

    def gather(self, batch: Batch, output: Tensor) -> tuple[Sequence[str], Tensor | None]:
        """Brings the samples' names and outputs of a global batch to rank 0, in the order of the samples.

        Returns:
            Names and outputs of shape (batch.size, ...) on rank 0, nothing elsewhere.
        """
        ...

    def parts(self, batch: Batch | None, output: Tensor | None) -> Sequence[tuple[Sequence[str], Tensor | None]]:
        """Brings names and outputs of each process's own samples to rank 0.

        Args:
            batch: The samples; None if this process has none.
            output: What the network made of them.

        Returns:
            Names and outputs of each process on rank 0, nothing elsewhere.
        """
        ...

    def understood(self) -> AbstractContextManager[None]:
        """Tells errors of libraries as what they mean: no memory, another process that is gone.

        Raises:
            RmldnnError: In their place.
        """
        ...

    def close(self) -> None:
        """Lets go of the other processes; may be called twice."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_engine(ranks: Ranks | None = None, zero: Zero | None = None, *, timeout: float = 120.0) -> Engine:
    """The engine for the processes that a launcher started: plain torch for one that needs no more, else DeepSpeed.

    Args:
        ranks: Who this process is among how many; read from the environment if absent.
        zero: What the processes share.
        timeout: Seconds to wait for the other processes to appear, and later for any sign of life of theirs.

    Raises:
        LaunchError: The environment is half set, or some process did not appear in time.
    """
    ranks = ranks or Ranks.from_environment()
    if ranks.world == 1 and not (zero and zero.wanted):
        from rmldnn.engine.local import LocalEngine

        engine = LocalEngine()
        if ranks.threads is None:
            engine.fit_threads()
        return engine
    from rmldnn.engine.distributed import DistributedEngine

    return DistributedEngine(ranks, zero=zero, timeout=timeout)
