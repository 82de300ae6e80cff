"""Cuts a set into batches and shares them out among processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Literal, NamedTuple

import numpy as np
import torch

from rmldnn.data import memory
from rmldnn.data.memory import Pool
from rmldnn.data.order import merged, share, shuffled, shuffled_batches
from rmldnn.data.pipeline import Shape
from rmldnn.data.sets import Dataset, Gathered, Request, none_left
from rmldnn.data.source import Indices
from rmldnn.data.workers import Workers
from rmldnn.errors import DataError
from rmldnn.steps import Batch

MAX_AUTOMATIC_WORKERS = 8
SMALL_BYTES = 16 * 2**20
"""Sets with fewer bytes to decode, or to transform where nothing is to decode, are read without worker processes.

They are decoded in about the time that it takes to start two processes: measured on two cores, 0.4 s at 40 MiB/s (for
28 x 28 and 224 x 224 pixels alike) against 0.2 to 0.5 s, and 0.5 ms more for the way of every batch between processes.
"""
_BLOCKS = 8
"""Arrays that lie in memory which is used again: inputs and targets of this batch and of one before, as they were read
and as the network sees them."""


class Skipped(NamedTuple):
    """A sample that was left out.

    Args:
        name: Its name.
        cause: Why it could not be read.
    """

    name: str
    cause: str


class Loader:
    """The batches of one set, as one process of a run sees them.

    Which samples make up a batch, and in which order, depends on nothing but the set, the batch size, the seed and the
    epoch. Every process takes a contiguous part of each batch, and goes through the same number of batches. Samples of
    different groups (`Source.groups`) never share a batch.

    Args:
        dataset: The set.
        batch_size: Samples of a batch, over all processes; the last batch holds what is left.
        shuffle: Draws the order in every `epoch`, `once` for all epochs, or `never`: then it is that of the set.
        seed: Of the order and of random transforms.
        rank: Number of this process.
        world: Number of processes.
        num_workers: Worker processes that read ahead; 0 reads here.
        device: Where inputs are wanted; integers travel there as they are, and are scaled there. See `Dataset.batch`.
        skip_bad: Whether samples that cannot be read are left out, and noted in `skipped`.
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
        self.device = device
        self.skip_bad = skip_bad
        self.skipped: dict[str, Skipped] = {}
        """Samples that were left out by this process, by name."""
        self.coarse: Callable[[int, Batch], Batch] | None = None
        """From an epoch and a batch of it to a coarser one, which takes its place."""
        self._groups = list(dataset.inputs.source.groups) or [len(dataset)]
        self._stretch = 0, len(dataset)
        self._turn = 0, 1
        self._first: dict[int, tuple[int, Sequence[Shape]]] = {}
        self._memory = Pool(_BLOCKS)
        self._workers = Workers(dataset, num_workers, skip_bad=skip_bad) if num_workers else None

    def __len__(self) -> int:
        """Number of batches of an epoch, the same in all processes."""
        return self.remaining(0)

    def alone(self, first: int, stop: int) -> Loader:
        """What this process does by itself, where the processes share out an epoch and not its batches.

        Args:
            first: The place in the order where its part begins.
            stop: The place behind its part.
        """
        part = copy(self)
        part.rank, part.world, part.batch_size = 0, 1, -(-self.batch_size // self.world)
        part._stretch = first, stop
        return part

    def turns(self) -> Loader:
        """The same, but for the processes taking turns at whole batches: of P processes each takes every P-th batch."""
        mine = copy(self)
        mine.rank, mine.world, mine._turn = 0, 1, (self.rank, self.world)
        return mine

    def remaining(self, seen: int) -> int:
        """Number of batches of an epoch of which so many samples were seen already."""
        return len(self._bounds(1, seen))

    def order(self, epoch: int) -> Indices:
        """The samples of all processes in the order of an epoch (counted from 1)."""
        orders = self._orders(epoch)
        if len(orders) == 1:
            return orders[0]
        parts = [order[at : at + self.batch_size] for order in orders for at in range(0, len(order), self.batch_size)]
        return np.concatenate([parts[place] for place in self._sequence(len(parts), epoch)])

    def sample(self) -> Batch:
        """The first sample of the set, as a batch of one: what shapes to expect.

        Raises:
            DataError: It cannot be read.
        """
        return self.samples()[0]

    def samples(self) -> list[Batch]:
        """The first sample of every group, each as a batch of one.

        Raises:
            DataError: One cannot be read.
        """
        starts = np.cumsum([0, *self._groups[:-1]])
        return [self._one(int(start), int(start) + count) for start, count in zip(starts, self._groups, strict=True)]

    def some(self, count: int) -> Iterator[Batch]:
        """Samples from the first to the last of the set, evenly apart, each as a batch of one; those that can be read.

        Args:
            count: How many, if there are as many.
        """
        for index in sorted({*np.linspace(0, len(self.dataset) - 1, count, dtype=int).tolist()}):
            request = Request(np.array([index]), 1, 0, 1, self.seed, 1)
            try:
                gathered = self.dataset.gather(request)
            except DataError:  # told when the run comes to that sample
                continue
            yield self.dataset.batch(request, gathered, self.device)

    def epoch(self, number: int, seen: int = 0) -> Iterator[Batch]:
        """The batches of an epoch. It may be left early, but not be entered twice at a time.

        Args:
            number: Counted from 1.
            seen: Samples that the epoch has had already; it goes on behind them, on any number of processes.

        Raises:
            DataError: A sample cannot be read, samples do not fit together, or a worker process died.
        """
        try:
            for request, gathered in self.gathered(number, seen):
                batch = self._batch(request, gathered)
                yield batch if self.coarse is None else self.coarse(number, batch)
        finally:
            self._memory.clear()

    def gathered(self, number: int, seen: int = 0) -> Iterator[tuple[Request, Gathered]]:
        """What the batches of an epoch are made of, before it is moved to the device and scaled there; see `epoch`."""
        gather = self._workers.gather if self._workers else self._gather
        return gather(self._requests(number, seen))

    def _one(self, start: int, stop: int) -> Batch:
        first: BaseException | None = None
        for index in range(start, stop):
            request = Request(np.array([index]), 1, 0, 1, self.seed, 1)
            try:
                return self._batch(request, self.dataset.gather(request))
            except DataError as error:
                if not self.skip_bad:
                    raise
                first = first or error.__cause__ or error  # without the words of one that ends a run
        assert first is not None  # noqa: S101 - a group is never empty
        raise none_left(stop - start, first)

    def _gather(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Gathered]]:
        for request in requests:
            with memory.using(self._memory.empty):
                gathered = self.dataset.gather(request, self.skip_bad)
            yield request, gathered

    def _batch(self, request: Request, gathered: Gathered) -> Batch:
        """The batch, if its samples have the shape of those read first: of the group's first sample, after `sample`."""
        for place, cause in gathered.skipped:
            name = self.dataset.names[int(request.indices[place])]
            self.skipped[name] = Skipped(name, cause)
        index = int(request.indices[0])
        group = int(np.searchsorted(np.cumsum(self._groups), index, side="right"))
        here = index, gathered.shapes
        first = self._first.setdefault(group, here)
        if here[1] != first[1]:
            raise self.dataset.unequal(first, here)
        with memory.using(self._memory.empty):
            return self.dataset.batch(request, gathered, self.device)

    def _bounds(self, epoch: int, seen: int) -> list[tuple[int, int]]:
        """First and last place (exclusive) of the batches that are left of an epoch."""
        seen, stop = max(seen, self._stretch[0]), self._stretch[1]
        if len(self._groups) == 1:
            return [(start, min(start + self.batch_size, stop)) for start in range(seen, stop, self.batch_size)]
        sizes = np.array(
            [min(self.batch_size, count - at) for count in self._groups for at in range(0, count, self.batch_size)]
        )
        ends = np.cumsum(sizes[self._sequence(len(sizes), epoch)]).tolist()
        bounds = zip([0, *ends[:-1]], ends, strict=True)
        return [(max(start, seen), min(end, stop)) for start, end in bounds if end > seen and start < stop]

    def _orders(self, epoch: int) -> list[Indices]:
        """The samples of each group in the order of an epoch."""
        source, drawn = self.dataset.inputs.source, self._drawn(epoch)
        if self.shuffle != "never" and len(self._groups) == 1 and source.blocks:
            return [merged(source.blocks, self.seed, drawn)]
        starts = np.cumsum([0, *self._groups[:-1]])
        return [
            start + (np.arange(count) if self.shuffle == "never" else shuffled(count, self.seed, drawn, group))
            for group, (start, count) in enumerate(zip(starts, self._groups, strict=True))
        ]

    def _sequence(self, batches: int, epoch: int) -> Indices:
        """The order of the batches of several groups."""
        return (
            np.arange(batches) if self.shuffle == "never" else shuffled_batches(batches, self.seed, self._drawn(epoch))
        )

    def _followers(self, epoch: int) -> Indices:
        """For every sample the one behind it in the order of its group, however that is cut; for the last the first."""
        followers = np.empty(len(self.dataset), np.int64)
        for order in self._orders(epoch):
            followers[order] = np.roll(order, -1)
        return followers

    def _drawn(self, epoch: int) -> int:
        """The epoch for which the order is drawn."""
        return epoch if self.shuffle == "epoch" else 0

    def _requests(self, epoch: int, seen: int) -> Iterator[Request]:
        order = self.order(epoch)
        mixed = bool(self.dataset.mixes)
        followers = self._followers(epoch) if mixed else order[:0]
        first, every = self._turn
        for start, end in self._bounds(epoch, seen)[first::every]:
            size = end - start
            mine = share(size, self.rank, self.world)
            at, count = start + mine.start, mine.stop - mine.start
            indices = order[at : at + count] if count else order[start : start + 1]
            if mixed and count:  # the partner of the last one
                indices = np.append(indices, followers[indices[-1]])
            yield Request(indices, count, at, size, self.seed, epoch, mixed)


def automatic_workers(dataset: Dataset, cores: int | None = None) -> int:
    """The number of worker processes that suits a set.

    Args:
        dataset: What is to be read.
        cores: Cores for this process and its workers; all that it may use by default.
    """
    size = sum(side.work(SMALL_BYTES) for side in (dataset.inputs, dataset.targets) if side)
    if size <= SMALL_BYTES:
        return 0
    return min(MAX_AUTOMATIC_WORKERS, cores or len(os.sched_getaffinity(0)))
