"""How far a training is: all that the loop must know to go on as if nothing had happened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rmldnn.engine.learning import Objective
from rmldnn.networks.draws import Draws, drawing
from rmldnn.steps import Batch
from rmldnn.tasks.task import Turn


@dataclass
class Progress:
    """Where a training stands.

    Random numbers of an update (dropout) are no state: they are functions of `seed`, its place, and those of its
    samples, so that a run that goes on elsewhere in time draws the same, on any number of processes.

    Args:
        seed: Of the run.
        rank: Number of this process.
        epoch: The epoch that is running, from 1.
        seen: Training samples of it that were learned from.
        mean: Their mean loss so far.
        others: The mean losses of the other turns of a batch so far, by name.
        rate: The learning rate that the epoch began with.
        over: Whether the training has ended before its last epoch, as it did not get better.
    """

    seed: int = 0
    rank: int = 0
    epoch: int = 1
    seen: int = 0
    mean: Mean = field(default_factory=lambda: Mean())
    others: dict[str, Mean] = field(default_factory=dict)
    rate: float = 0.0
    over: bool = False

    def draw(self, device: torch.device) -> None:
        """Makes torch's own random numbers in the coming update, on a device, those of its place and this process."""
        place = f"{self.seed} {self.epoch} {self.seen} {self.rank}"
        number = int.from_bytes(hashlib.blake2b(place.encode(), digest_size=7).digest(), "big")
        torch.default_generator.manual_seed(number)  # `torch.manual_seed` asks for every kind of device, for 0.1 ms
        if device.type == "cuda":
            torch.cuda.default_generators[device.index or 0].manual_seed(number)

    def drawn(self, turn: Turn, device: torch.device) -> Objective:
        """The objective of a turn of the coming update, whose layers draw the random numbers of its samples."""
        place = self.seed, self.epoch, turn.name, self.seen

        def objective(batch: Batch) -> Tensor:
            with drawing(Draws(*place, batch.first, len(batch.inputs), device)):
                return turn.objective(batch)

        return objective

    def learned(self, loss: Tensor, size: int, others: Mapping[str, Tensor] | None = None) -> None:
        """Takes note of an update, or several of the same samples."""
        for name, other in (others or {}).items():
            self.others.setdefault(name, Mean()).add(other, size)
        self.mean.add(loss, size)
        self.seen += size

    def next_epoch(self) -> None:
        """Takes note of the end of an epoch."""
        self.epoch += 1
        self.seen = 0
        self.mean = Mean()
        self.others = {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "epoch": self.epoch,
            "seen": self.seen,
            "mean": self.mean.state_dict(),
            "others": {name: one.state_dict() for name, one in self.others.items()},
            "rate": self.rate,
            "over": self.over,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.epoch, self.seen, self.rate, self.over = (state[key] for key in ("epoch", "seen", "rate", "over"))
        self.mean.load_state_dict(state["mean"])
        for name, kept in state.get("others", {}).items():
            self.others.setdefault(name, Mean()).load_state_dict(kept)


class Mean:
    """Mean over samples of numbers that each belong to a batch; stays on the device."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._size = 0

    def add(self, value: Tensor, size: int) -> None:
        """Takes the mean of so many samples into account."""
        if self._sum is None:
            self._sum = torch.zeros((), dtype=torch.float64, device=value.device)
        elif self._sum.device != value.device:
            self._sum = self._sum.to(value.device)
        self._sum.add_(value, alpha=size)
        self._size += size

    def value(self) -> Tensor:
        """The mean of all; 0 of none."""
        return torch.zeros((), dtype=torch.float64) if self._sum is None else self._sum / max(self._size, 1)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"sum": self._sum, "size": self._size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._sum, self._size = state["sum"], state["size"]
