"""Cuts a set into batches and shares them out among processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch

from rmldnn.data.order import share, shuffled
from rmldnn.data.pipeline import Shape
from rmldnn.data.sets import Dataset, Gathered, Request
from rmldnn.data.source import Indices
from rmldnn.data.workers import Workers
from rmldnn.steps import Batch

MAX_AUTOMATIC_WORKERS = 8
SMALL_BYTES = 16 * 2**20
"""Sets with fewer encoded bytes are read without worker processes.

They are decoded in about the time that it takes to start two processes: measured on two cores, 0.4 s at 40 MiB/s (for
28 x 28 and 224 x 224 pixels alike) against 0.2 to 0.5 s, and 0.5 ms more for the way of every batch between processes.
"""


class Loader:
    """The batches of one set, as one process of a run sees them.

    Which samples make up a batch, and in which order, depends on nothing but the set, the batch size, the seed and the
    epoch. Every process takes a contiguous part of each batch, and goes through the same number of batches.

    Args:
        dataset: The set.
        batch_size: Samples of a batch, over all processes; the last batch holds what is left.
        shuffle: Draws the order in every `epoch`, `once` for all epochs, or `never`: then it is that of the set.
        seed: Of the order and of random transforms.
        rank: Number of this process.
        world: Number of processes.
        num_workers: Worker processes that read ahead; 0 reads here.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: Literal["epoch", "once", "never"] = "never",
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        num_workers: int = 0,
        device: torch.device | None = None,
        skip_bad: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world = world
        self.num_workers = num_workers
        self._first: tuple[int, Sequence[Shape]] | None = None
        self._workers = Workers(dataset, num_workers) if num_workers else None

    def __len__(self) -> int:
        """Number of batches of an epoch, the same in all processes."""
        return -(-len(self.dataset) // self.batch_size)

    def order(self, epoch: int) -> Indices:
        """The samples of all processes in the order of an epoch (counted from 1)."""
        if self.shuffle == "never":
            return np.arange(len(self.dataset))
        return shuffled(len(self.dataset), self.seed, epoch if self.shuffle == "epoch" else 0)

    def sample(self) -> Batch:
        """The first sample of the set, as a batch of one: what shapes to expect.

        Raises:
            DataError: It cannot be read.
        """
        request = Request(np.zeros(1, np.int64), 1, 0, 1, self.seed, 1)
        return self._batch(request, self.dataset.gather(request))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch (counted from 1). An epoch may be left early, but not be entered twice at a time.

        Raises:
            DataError: A sample cannot be read, samples do not fit together, or a worker process died.
        """
        gather = self._workers.gather if self._workers else self._gather
        for request, gathered in gather(self._requests(number)):
            yield self._batch(request, gathered)

    def _gather(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Gathered]]:
        for request in requests:
            yield request, self.dataset.gather(request)

    def _batch(self, request: Request, gathered: Gathered) -> Batch:
        """The batch, if its samples have the size of those read first: of the set's first sample, after `sample`."""
        here = int(request.indices[0]), gathered.shapes
        self._first = self._first or here
        if here[1] != self._first[1]:
            raise self.dataset.unequal(self._first, here)
        return self.dataset.batch(request, gathered)

    def _requests(self, epoch: int) -> Iterator[Request]:
        order = self.order(epoch)
        for start in range(0, len(order), self.batch_size):
            size = min(self.batch_size, len(order) - start)
            mine = share(size, self.rank, self.world)
            first, count = start + mine.start, mine.stop - mine.start
            indices = order[first : first + count] if count else order[start : start + 1]
            yield Request(indices, count, first, size, self.seed, epoch)


def automatic_workers(dataset: Dataset, local_world: int) -> int:
    """The number of worker processes that suits a set.

    Args:
        dataset: What is to be read.
        local_world: Processes of the run on this machine, which share its cores.
    """
    size = sum(side.source.encoded_bytes(SMALL_BYTES) for side in (dataset.inputs, dataset.targets) if side)
    if size <= SMALL_BYTES:
        return 0
    return min(MAX_AUTOMATIC_WORKERS, len(os.sched_getaffinity(0)) // local_world)
