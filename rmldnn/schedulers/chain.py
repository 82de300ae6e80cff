"""Several schedules, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from rmldnn.errors import ConfigError, Problem
from rmldnn.schedulers.schedule import PATH, Schedule


class Chain(Schedule):
    """Each schedule but the last lasts its `num_epochs`; the next one starts from the learning rate then reached.

    Factors multiply, and each schedule's own clock starts at 0. Once over, a schedule keeps the factor that it ended
    with; its momentum is the optimizer's again.

    Args:
        optimizer: Whose learning rate is set.
        length: Number of epochs of the run; each schedule is told what is left of them when it starts.
        makers: Schedule components with their keys bound, yet to be given `optimizer` and length; at least one.

    Raises:
        ConfigError: A schedule cannot be made, or one of them but the last does not say how long it lasts.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, length: float, makers: Sequence[Callable[..., Schedule]]
    ) -> None:
        self._members: list[tuple[int, Schedule]] = []
        start = 0
        for place, make in enumerate(makers):
            with _at(place):
                member = make(optimizer, max(length - start, 1.0))
            self._members.append((start, member))
            if member.num_epochs is None and place < len(makers) - 1:
                message = "is missing; in a list, each schedule but the last says how many epochs it lasts"
                raise ConfigError(Problem(f"{PATH}[{place}].num_epochs", message))
            start += member.num_epochs or 0
        super().__init__(optimizer, lambda _: 1.0, verbose=any(member.verbose for _, member in self._members))
        self.per_step = any(member.per_step for _, member in self._members)

    def factor(self, done: float) -> float:
        """The product of the factors of all schedules that have started."""
        product = 1.0
        for start, member in self._members:
            if start <= done:
                product *= member.factor(done - start)
        return product

    def momentum(self, done: float) -> float | None:
        """The momentum of the schedule whose turn it is."""
        start, member = [pair for pair in self._members if pair[0] <= done][-1]
        return member.momentum(done - start)

    def observe(self, done: float, loss: float) -> None:
        """Tells all schedules; one whose time it is not takes no notice."""
        for start, member in self._members:
            member.observe(done - start, loss)

    def memory(self) -> dict[str, Any]:
        """What each schedule's formula depends on besides time."""
        return {"members": [member.memory() for _, member in self._members]}

    def recall(self, state: Mapping[str, Any]) -> None:
        """Takes back what `memory` gave."""
        for (_, member), memory in zip(self._members, state.get("members", ()), strict=False):
            member.recall(memory)


@contextmanager
def _at(place: int) -> Iterator[None]:
    """Gives problems of a schedule its place in the list."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            [replace(fault, path=fault.path.replace(PATH, f"{PATH}[{place}]", 1)) for fault in error.problems]
        ) from error
