"""The schedules of several optimizers that learn by turns, as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor


class _Schedule(Protocol):
    per_step: bool

    def step(self, done: float | None = None, loss: Tensor | None = None) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Several:
    """Schedules by the names of their optimizers; each sets the learning rates of its own.

    Args:
        members: The schedules, at least one.
    """

    def __init__(self, members: Mapping[str, _Schedule]) -> None:
        self.members = dict(members)
        self.per_step = any(member.per_step for member in self.members.values())

    def step(self, done: float | None = None, loss: Tensor | None = None) -> None:
        """Sets the learning rates of what comes next, as `Schedule.step` does."""
        for member in self.members.values():
            member.step(done, loss)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep."""
        states = {name: member.state_dict() for name, member in self.members.items()}
        return {"done": max(state["done"] for state in states.values()), **states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state_dict` was taken; a schedule that is new takes its place by what is over."""
        for name, member in self.members.items():
            member.load_state_dict({**state.get(name, {}), "done": state["done"]})
