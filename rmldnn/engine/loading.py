"""Batches, as the loop takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Protocol

import torch

from rmldnn.steps import Batch


class Loader(Protocol):
    """Batches of one data set, as `data.loader` gives them."""

    def __len__(self) -> int:
        """Number of global batches of an epoch, the same on every process."""
        ...

    def remaining(self, seen: int) -> int:
        """Number of global batches of an epoch of which so many samples were seen already."""
        ...

    def epoch(self, number: int, seen: int = 0) -> Iterator[Batch]:
        """This process's shares of the batches of an epoch behind the samples seen, in order; epochs count from 1."""
        ...

    def turns(self) -> Loader:
        """The same, but for the processes taking turns at whole batches instead of sharing each."""
        ...


class Taken:
    """The batches of one update, as they are taken: whose they are, how many samples, and how long they took to come.

    Args:
        batches: The batches.
        device: Where inputs are wanted.
        keep: Whether they are needed once more; their memory is else free as soon as they are computed.
    """

    def __init__(self, batches: Iterator[Batch], device: torch.device, *, keep: bool = False) -> None:
        self.names: Sequence[str] = ()
        self.size = 0
        self.waited = 0.0
        self.kept: list[Batch] = []
        """The batches that came, if they are kept."""
        self._batches = batches
        self._device = device
        self._keep = keep

    def __iter__(self) -> Iterator[Batch]:
        asked = perf_counter()
        for batch in self._batches:
            batch = placed(batch, self._device)
            self.names = [*self.names, *batch.names] if self.names else batch.names
            self.size += batch.size
            self.waited += perf_counter() - asked
            if self._keep:
                self.kept.append(batch)
            yield batch
            asked = perf_counter()


def placed(batch: Batch, device: torch.device) -> Batch:
    """The batch with its inputs on the device; targets follow once their values were looked at."""
    if batch.inputs.device == device:
        return batch
    return replace(batch, inputs=batch.inputs.to(device, non_blocking=True))
