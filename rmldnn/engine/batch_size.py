"""The batch size that suits a machine: `"batch_size": "auto"`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from rmldnn.engine.interface import Engine
from rmldnn.engine.memory import free_bytes
from rmldnn.losses.reduction import alone
from rmldnn.steps import Batch
from rmldnn.tasks.task import Task

log = logging.getLogger("rmldnn")

_GAIN = 1.05
"""A batch twice as large must do so many more samples in a second, or it is not worth its memory."""
_FILLED = 0.8
"""The part of the free memory that may be filled."""
_LARGEST = 10
"""Batches of more than 2**10 samples for each process seldom learn well."""
_SECONDS = 0.1
"""How long steps of one size are timed, two of them at least; the best one counts."""
_PATIENCE = 2
"""So many doublings may bring nothing before the search ends."""


def automatic_batch_size(engine: Engine, task: Task, network: nn.Module, sample: Batch, count: int) -> int:
    """Tries batches of 1, 2, 4, ... samples, forward and backward, while they fit into memory and pay.

    Weights, running statistics and random numbers are afterwards what they were. Every process tries by itself, and the
    smallest result holds for all.

    Args:
        engine: Where to compute.
        task: What one learning step is.
        network: The network, in its precision.
        sample: One sample.
        count: Samples of the set; a batch has at most as many.

    Returns:
        Samples of a batch over all processes.
    """
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    before = torch.get_rng_state()
    best = vain = 0
    rate = 0.0
    network.train()
    learning = sum(3 * parameter.nbytes for parameter in network.parameters())  # gradients, and what optimizers keep
    for power, seconds in enumerate(_tried(engine.device, learning, lambda size: _step(task, network, sample, size))):
        size = 2**power
        if vain == _PATIENCE or (power and size * engine.world > count):
            break
        if size / seconds > _GAIN * rate:
            best, rate, vain = power, size / seconds, 0
        else:
            vain += 1
    network.load_state_dict(state)
    torch.set_rng_state(before)
    votes = torch.zeros(_LARGEST + 1, dtype=torch.int64)
    votes[best] = 1
    agreed = int(engine.total(votes).nonzero()[0])
    result: int = 2**agreed * engine.world
    log.info(f"Batch size (automatic): {result}")
    return result


def _tried(device: torch.device, reserved: int, step: Callable[[int], None]) -> Iterator[float]:
    """Seconds of a step for 1, 2, 4, ... samples, until memory is short."""
    free, used = _FILLED * free_bytes(device) - reserved, 0
    for power in range(_LARGEST + 1):
        if 2 * used > free:  # the next batch would take twice what this one took
            return
        try:
            durations: list[float] = []
            while len(durations) < 2 or sum(durations) < _SECONDS:
                with _kept() as kept:
                    start = time.perf_counter()
                    step(2**power)
                    if device.type == "cuda":
                        torch.cuda.synchronize(device)
                durations.append(time.perf_counter() - start)
            used = kept.bytes
        except (torch.OutOfMemoryError, MemoryError):
            return
        finally:
            if device.type == "cuda":
                torch.cuda.empty_cache()
        yield min(durations)


def _step(task: Task, network: nn.Module, sample: Batch, size: int) -> None:
    """A learning step without its update."""
    batch = Batch(
        [sample.names[0]] * size,
        sample.inputs[:1].repeat(size, *[1] * (sample.inputs.ndim - 1)),
        None if sample.targets is None else sample.targets[:1].repeat(size, *[1] * (sample.targets.ndim - 1)),
        0,
        size,
    )
    loss, _ = task.forward(network, batch, alone)
    if loss is not None:
        loss.backward()  # type: ignore[no-untyped-call]
    for parameter in network.parameters():
        parameter.grad = None


class _kept:  # noqa: N801 - reads as what it does
    """Counts the bytes that are kept for the backward pass."""

    def __init__(self) -> None:
        self.bytes = 0
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)

    def __enter__(self) -> _kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    def _keep(self, tensor: Tensor) -> Tensor:
        self.bytes += tensor.nbytes
        return tensor
