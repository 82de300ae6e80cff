"""What a probe learns from: a batch of the training set, and how fast others would come, or random numbers."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch

from rmldnn.data.dataset import Data
from rmldnn.engine.interface import Engine
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone
from rmldnn.losses.target import moved
from rmldnn.networks.network import Network
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised


@dataclass(frozen=True)
class Loading:
    """Of one process; see `Measured`."""

    rate: float = math.inf
    ahead: bool = True
    start: float = 0.0


def read(data: Data, engine: Engine, seconds: float, *, kept: bool) -> tuple[Batch, Loading]:
    """The first batch of this process, and how fast others come.

    Args:
        data: The sets.
        engine: This process among the others.
        seconds: How long to read.
        kept: Whether samples are read only once in a run.
    """
    loader = data.loader("train", rank=engine.rank, world=engine.world, cores=engine.cores, device=engine.device)
    first = next(iter(loader.epoch(1)))  # which starts the processes that read
    targets = None if first.targets is None else moved(first.targets, engine.device).clone()
    batch = replace(first, inputs=first.inputs.clone(), targets=targets)
    if kept:  # is in memory, or in a file of numbers, from the first epoch on
        return batch, Loading()
    begun = time.perf_counter()
    read, start, taken = 0, 0.0, 0.0
    for number, one in enumerate(loader.epoch(2)):
        taken = time.perf_counter() - begun
        if number:
            read += len(one.inputs)
        else:
            start = taken
        if taken > seconds:
            break
    if not read:
        read, start = len(one.inputs), 0.0
    rate = read / max(taken - start, 1e-9)
    # Processes that read take cores, of which a GPU needs few.
    apart = loader.num_workers > 0 and engine.device.type == "cuda"
    return batch, Loading(rate, apart, start if loader.num_workers else 0.0)


def invented(model: Network, task: Supervised, size: int, device: torch.device) -> Batch:
    """Random inputs of the network, and targets that its loss takes.

    Raises:
        ConfigError: Extents of the input are open.
    """
    _, *shape = model.input_shapes[0]
    if None in shape:
        message = "leaves extents of its input open, so random inputs have none; leave out --synthetic"
        raise ConfigError(Problem("layers", message))
    known = [extent for extent in shape if extent is not None]
    known = known if model.channels_first else [*known[-1:], *known[:-1]]
    inputs = torch.rand(size, *known, device=device)
    with torch.no_grad():
        output = model(inputs)
    labels = torch.zeros(size, *output.shape[2:], dtype=torch.int64, device=device)
    try:
        batch = Batch([""] * size, inputs, labels, 0, size)
        task.forward(lambda _: output, batch, alone)  # type: ignore[arg-type]
    except (ConfigError, RuntimeError):
        batch = Batch([""] * size, inputs, torch.zeros_like(output), 0, size)
    return batch


def cut(batch: Batch, size: int) -> Batch:
    """A batch of this many samples, some of them more than once if there are fewer."""
    places = torch.arange(size, device=batch.inputs.device) % len(batch.inputs)
    targets = None if batch.targets is None else batch.targets[places]
    return Batch([""] * size, batch.inputs[places], targets, 0, size)
