"""A running mean of the weights, which often evaluates better than the last ones (Polyak and Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of parameters; one kernel for all of them.

    `mean += (weights - mean) * (1 - d)` after every update, with d = min(decay, (1 + n) / (10 + n)) for the n-th: the
    first weights, which are random, are soon forgotten.

    Args:
        parameters: What to average.
        decay: How much of the mean an update keeps.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        self.swapped = False
        self._parameters: list[Tensor] = [parameter for parameter in parameters if parameter.is_floating_point()]
        self._means = [parameter.detach().clone() for parameter in self._parameters]
        self._decay = decay
        self._learning = [parameter.requires_grad for parameter in self._parameters]
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Takes note of new weights; those of a network whose turn it was not are the old ones."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        pairs = enumerate(zip(self._parameters, self._learning, strict=True))
        moved = [place for place, (parameter, learning) in pairs if parameter.requires_grad == learning]
        means, parameters = ([each[place] for place in moved] for each in (self._means, self._parameters))
        torch._foreach_lerp_(means, parameters, 1 - decay)

    def swap(self, to_means: bool) -> None:
        """Lets weights and means change places, which moves no number.

        Args:
            to_means: Whether the network is to compute with the means.
        """
        if to_means != self.swapped:
            self.swapped = to_means
            for place, parameter in enumerate(self._parameters):
                parameter.data, self._means[place] = self._means[place], parameter.data

    def state_dict(self) -> dict[str, object]:
        """What a checkpoint keeps; weights and means must not be swapped."""
        return {"means": self._means, "updates": self.updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Goes on from a checkpoint."""
        means, updates = state["means"], state["updates"]
        assert isinstance(means, list) and isinstance(updates, int)  # noqa: S101 - what `state_dict` gave
        self.updates = updates
        for mean, kept in zip(self._means, means, strict=True):
            mean.copy_(kept)
