"""Several optimizers as one, for networks that learn by turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


class Alternating(torch.optim.Optimizer):
    """Optimizers of different parameters; a step is one of those whose parameters require gradients at that time.

    Groups and states are those of all of them, in their order, so that whoever saves, scales or looks at an optimizer
    need not know. State dictionaries number the parameters through.

    Args:
        members: The optimizers by name.
    """

    def __init__(self, members: Mapping[str, torch.optim.Optimizer]) -> None:
        self.members = dict(members)
        super().__init__([group for member in self.members.values() for group in member.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Lets those take a step whose turn it is."""
        if closure is not None:
            raise ValueError("optimizers that take turns evaluate no objective by themselves")
        for member in self.members.values():
            if any(parameter.requires_grad for group in member.param_groups for parameter in group["params"]):
                member.step()

    def load_state_dict(self, state_dict: Any) -> None:
        """Goes on from a state."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Lets the members have the groups and the state of all."""
        first = 0
        for member in self.members.values():
            count = len(member.param_groups)
            member.param_groups = self.param_groups[first : first + count]
            member.state = self.state
            first += count
