"""Modules that run layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from rmldnn.networks.layer import Layer, Step

MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": torch.add,
    "mul": torch.mul,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "concat": lambda forward, backward: torch.cat([forward, backward], 1),
}


class Wrapper(nn.Module):
    """A module that holds layers as submodules.

    The one of a layer's modules that has parameters has the layer's name; others get a number besides.
    """

    def hold(self, name: str, layer: Layer) -> list[str | Step]:
        """Registers the modules of a layer; its steps, with names in the place of modules."""
        steps: list[Step] = [*layer.steps, *([] if layer.activation.step is None else [layer.activation.step])]
        held: list[str | Step] = []
        for number, step in enumerate(steps):
            if isinstance(step, nn.Module):
                owns = any(True for _ in step.parameters())
                held.append(name if owns else f"{name}_{number}")
                self.add_module(str(held[-1]), step)
            else:
                held.append(step)
        return held

    def run(self, held: Sequence[str | Step], *arguments: Any) -> Any:
        """The result of the steps of a layer."""
        for step in held:
            arguments = ((getattr(self, step) if isinstance(step, str) else step)(*arguments),)
        return arguments[0]


class TimeDistributed(Wrapper):
    """A layer at every step of sequences (N, C, T, *spatial).

    Args:
        layer: The layer.
        frozen: Whether its batch norm keeps its statistics.
    """

    def __init__(self, layer: Layer, frozen: bool) -> None:
        super().__init__()
        self.frozen = frozen
        self.steps = self.hold("layer", layer)

    def forward(self, x: Tensor) -> Tensor:
        """All steps as one batch."""
        steps = x.movedim(2, 1)
        results: Tensor = self.run(self.steps, steps.flatten(0, 1))
        return torch.unflatten(results, 0, steps.shape[:2]).movedim(1, 2)

    def train(self, mode: bool = True) -> TimeDistributed:
        """Sets the mode, but for batch norm that is frozen."""
        super().train(mode)
        for module in self.modules() if self.frozen else ():
            if isinstance(module, BatchNorm):
                module.train(False)
        return self


class Bidirectional(Wrapper):
    """Two recurrent layers, one of which reads sequences from their end.

    Args:
        forward_layer: The one; what it gives keeps its order.
        backward_layer: The other.
        merge_mode: How their outputs become one; null for both.
        sequences: Whether they give all outputs; then the order of the other's is turned.
        states: Whether they give their states besides.
    """

    def __init__(
        self, forward_layer: Layer, backward_layer: Layer, merge_mode: str | None, sequences: bool, states: bool
    ) -> None:
        super().__init__()
        self.merge_mode = merge_mode
        self.sequences = sequences
        self.states = states
        self.forward_steps = self.hold("forward_layer", forward_layer)
        self.backward_steps = self.hold("backward_layer", backward_layer)

    def forward(self, x: Tensor, *states: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Outputs (N, C, T, *spatial) or (N, C, *spatial), then the states of both."""
        half = len(states) // 2
        forward = self.run(self.forward_steps, x, *states[:half])
        backward = self.run(self.backward_steps, x, *states[half:])
        last: tuple[Tensor, ...] = ()
        if self.states:
            (forward, *ahead), (backward, *behind) = forward, backward
            last = (*ahead, *behind)
        if self.sequences:
            backward = backward.flip(2)
        outputs = (forward, backward) if self.merge_mode is None else (MERGES[self.merge_mode](forward, backward),)
        return (*outputs, *last) if len(outputs) + len(last) > 1 else outputs[0]
