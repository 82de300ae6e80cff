"""A training that goes through resolutions: what cheap, coarse samples teach is carried up to fine ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Count, Path


@component("multigrid")
def multigrid(
    *,
    levels: list[Count],
    cycle: Literal["half-V", "V", "W", "F"] = "half-V",
    epochs: Count | list[Count] = 1,
    networks: list[Path] | None = None,
    grid: Literal["auto", "cells", "nodes"] = "auto",
) -> Multigrid:
    """Trains at several resolutions, one after the other, with the same weights (Balu et al. 2021).

    Args:
        levels: Extents of the samples' longest axis, from coarse to fine; the other axes follow in proportion. Samples
            are made smaller to these, never larger.
        cycle: The way through the levels: `half-V` goes up once, `V` goes down and up, `W` and `F` go down more often
            before they end at the finest, as in the solvers of that name.
        epochs: Epochs of each visit of a level: one number for all, one for each level, or one for each visit.
            `num_epochs` is their sum.
        networks: Keras files, one for each level but the finest, which is that of `layers` or `network`: shallower
            networks whose layers all are layers of the next one, by name and shape, and share its weights. Without
            them one network without fixed extents takes all levels.
        grid: What samples are values of: `cells`, which are averaged, or `nodes` from border to border, between which
            is interpolated; `auto` takes `nodes` for the task `pde`. Classes are those of the nearest place.

    Raises:
        ConfigError: Levels do not ascend, or epochs or networks are not as many as they should be.
    """
    if sorted(set(levels)) != levels or len(levels) < 2:
        raise ConfigError(Problem("multigrid.levels", f"must be two or more that ascend, got {levels}"))
    visits = list(_cycle(len(levels), cycle))
    lasting = [epochs] * len(visits) if isinstance(epochs, int) else epochs
    if len(lasting) == len(levels) != len(visits):
        lasting = [lasting[level] for level in visits]
    if len(lasting) != len(visits):
        ways = f"{len(levels)}, one for each level" + (f", or {len(visits)}" if len(visits) != len(levels) else "")
        message = f"must be {ways}, one for each visit ({', '.join(str(levels[level]) for level in visits)})"
        raise ConfigError(Problem("multigrid.epochs", f"{message}, got {len(lasting)}"))
    if networks is not None and len(networks) != len(levels) - 1:
        message = f"must be {len(levels) - 1}, one for each level but the finest, got {len(networks)}"
        raise ConfigError(Problem("multigrid.networks", message))
    return Multigrid(levels, visits, lasting, networks or (), grid)


@dataclass(frozen=True)
class Multigrid:
    """The way through the resolutions.

    Args:
        levels: Extents of the longest axis, from coarse to fine.
        visits: Numbers of levels in the order of training.
        epochs: How many epochs each visit lasts.
        networks: Files of the coarser networks; empty if one takes all levels.
        grid: What samples are values of.
    """

    levels: Sequence[int]
    visits: Sequence[int]
    epochs: Sequence[int]
    networks: Sequence[str] = ()
    grid: Literal["auto", "cells", "nodes"] = "auto"

    @property
    def num_epochs(self) -> int:
        """Of the whole training."""
        return sum(self.epochs)

    def require_epochs(self, given: int) -> int:
        """The number of epochs, which is the only one that `num_epochs` may say if it says more than 1.

        Raises:
            ConfigError: It says another one.
        """
        if given not in (1, self.num_epochs):
            message = f"is {given}, but the epochs of `multigrid` are {self.num_epochs} together; leave it out"
            raise ConfigError(Problem("num_epochs", message))
        return self.num_epochs

    def level(self, epoch: int) -> int:
        """The number of the level of an epoch (counted from 1); epochs behind the last visit belong to it."""
        ends = accumulate(self.epochs)
        return next((level for level, end in zip(self.visits, ends, strict=True) if epoch <= end), self.visits[-1])

    def extent(self, epoch: int) -> int:
        """The extent of the longest axis in an epoch."""
        return self.levels[self.level(epoch)]


def _cycle(count: int, kind: str) -> Iterator[int]:
    """Numbers of levels as they are visited; none twice in a row."""
    if kind == "half-V":
        yield from range(count)
        return
    last = -1
    for level in _from_above(count - 1, kind):
        if level != last:
            yield level
        last = level


def _from_above(level: int, kind: str) -> Iterator[int]:
    yield level
    if level:
        yield from _from_above(level - 1, kind)
        if kind != "V":
            yield from _from_above(level - 1, "V" if kind == "F" else kind)
        yield level
