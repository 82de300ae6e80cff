"""Recurrent networks with Keras' arithmetic; the names of their parameters are those of torch's cells.

Gates are in Keras' order: input, forget, cell, output for LSTM, which is torch's, and update, reset, new for GRU.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.networks import draws
from rmldnn.networks.layer import LINEAR, Activation

# a weight of Keras is one parameter here, not a part of cuDNN's one buffer for all, so they are joined in every call
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk of memory")

States: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True)
class Form:
    """What recurrent layers have in common.

    Args:
        sequences: Whether all outputs are given, else the last.
        states: Whether the last states are given besides.
        backwards: Whether the sequence is read from its end; outputs are in the order of reading.
    """

    sequences: bool = False
    states: bool = False
    backwards: bool = False


@dataclass(frozen=True)
class Dropping:
    """What is dropped in training, the same elements at every step of a sequence.

    Args:
        inputs: Share of the inputs.
        states: Share of the states that enter a step.
        per_gate: Whether each gate drops other ones.
    """

    inputs: float = 0.0
    states: float = 0.0
    per_gate: bool = False


@dataclass(frozen=True)
class Nonlinearities:
    """The activation of new values and that of the gates."""

    value: Activation
    gate: Activation = LINEAR

    @property
    def names(self) -> tuple[str, str]:
        """What they are called."""
        return self.value.name, self.gate.name


class Recurrence(nn.Module):
    """Reads sequences (N, C, T, *spatial) from states that enter or are 0.

    Args:
        form: What is read and given.
    """

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor, *states: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the form asks for: outputs (N, C, T, *spatial), or the last one (N, C, *spatial), then the states."""
        steps = x.movedim(2, 1)
        outputs, last = self.run(steps.flip(1) if self.form.backwards else steps, states)
        result = outputs.movedim(1, 2) if self.form.sequences else outputs[:, -1]
        return (result, *last) if self.form.states else result

    def run(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Outputs (N, T, C, *spatial) and last states for inputs (N, T, C, *spatial)."""
        raise NotImplementedError


class Cell(Recurrence):
    """One cell with its weights.

    Args:
        form: What is read and given.
        features: Channels of the inputs.
        units: Channels of the outputs.
        bias: Shape of the bias; none if None.
        nonlinearities: Its activations.
        dropping: What it drops in training.
        window: Extents of the kernels' windows, for convolutional cells.
    """

    gates: ClassVar[int]
    num_states: ClassVar[int] = 1

    def __init__(
        self,
        form: Form,
        features: int,
        units: int,
        bias: tuple[int, ...] | None,
        nonlinearities: Nonlinearities,
        dropping: Dropping,
        *,
        window: tuple[int, ...] = (),
    ) -> None:
        super().__init__(form)
        self.units = units
        self.nonlinearities = nonlinearities
        self.dropping = dropping
        self.weight_ih = nn.Parameter(torch.empty(self.gates * units, features, *window))
        self.weight_hh = nn.Parameter(torch.empty(self.gates * units, units, *window))
        self.bias = None if bias is None else nn.Parameter(torch.empty(bias))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initial values as torch's recurrent layers draw them."""
        bound = 1 / math.sqrt(self.units)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Its sizes, for printing."""
        return f"{self.weight_ih.shape[1]}, {self.units}"

    def run(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """One step after the other, or torch's fused kernel where it computes the same."""
        drops = self.training and 0 < self.dropping.states < 1
        if self.fusible and not drops:
            x = self._dropped(x)
            return self.fused(x, states or self._zeros(x[:, 0], ()))
        entering = self._entering(x)
        states = states or self._zeros(entering[:, 0], entering.shape[3:])
        masks = self._masks(states[0], self.dropping.states) if drops else ()
        outputs = []
        for inputs in entering.unbind(1):
            states = self.step(inputs, states, masks)
            outputs.append(states[0])
        return torch.stack(outputs, 1), states

    @property
    def fusible(self) -> bool:
        """Whether torch has a kernel for it."""
        return False

    def fused(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """As `run`, by torch's kernel, from states that exist."""
        raise NotImplementedError

    def step(self, inputs: Tensor, states: States, masks: Sequence[Tensor]) -> States:
        """The states after one step; the first is the output.

        Args:
            inputs: The products of the step's inputs, shape (N, gates * units, *spatial).
            states: The states before it, shape (N, units, *spatial) each.
            masks: What multiplies the state that enters a product, one for all gates or one for each.
        """
        raise NotImplementedError

    def input_product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The inputs of all steps (N, T, C, *spatial) times a weight."""
        return functional.linear(x, weight, bias)

    def state_product(self, state: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """A state times a weight."""
        return functional.linear(state, weight, bias)

    def value(self, x: Tensor) -> Tensor:
        """The activation of new values."""
        return _activated(self.nonlinearities.value, x)

    def gate(self, x: Tensor) -> Tensor:
        """The activation of gates."""
        return _activated(self.nonlinearities.gate, x)

    @property
    def input_bias(self) -> Tensor | None:
        """What is added to the products of inputs."""
        return self.bias

    def _entering(self, x: Tensor) -> Tensor:
        """The inputs' products for all steps and gates, as no state is needed for them."""
        if not self._drops_inputs:
            return self.input_product(x, self.weight_ih, self.input_bias)
        return self._per_gate(x, self._masks(x[:, :1], self.dropping.inputs), self.weight_ih, self.input_bias)

    def _dropped(self, x: Tensor) -> Tensor:
        return x * draws.dropout(torch.ones_like(x[:, :1]), self.dropping.inputs) if self._drops_inputs else x

    @property
    def _drops_inputs(self) -> bool:
        return self.training and 0 < self.dropping.inputs < 1

    def _masks(self, like: Tensor, share: float) -> Sequence[Tensor]:
        count = self.gates if self.dropping.per_gate else 1
        return [draws.dropout(torch.ones_like(like), share) for _ in range(count)]

    def _per_gate(self, x: Tensor, masks: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> Tensor:
        biases = [None] * len(masks) if bias is None else bias.chunk(len(masks))
        parts = [
            self.input_product(x * mask, rows, vector)
            for mask, rows, vector in zip(masks, weight.chunk(len(masks)), biases, strict=True)
        ]
        return torch.cat(parts, 2)

    def recurring(self, state: Tensor, masks: Sequence[Tensor], gates: slice, bias: Tensor | None = None) -> Tensor:
        """The products of a state for some of the gates."""
        rows = slice(gates.start * self.units, gates.stop * self.units)
        weight = self.weight_hh if gates == slice(0, self.gates) else self.weight_hh[rows]
        if not masks:
            return self.state_product(state, weight, bias)
        if len(masks) == 1:
            return self.state_product(state * masks[0], weight, bias)
        parts = [
            self.state_product(state * mask, part)
            for mask, part in zip(masks[gates], weight.chunk(gates.stop - gates.start), strict=True)
        ]
        product = torch.cat(parts, 1)
        return product if bias is None else product + bias

    def _zeros(self, like: Tensor, spatial: Sequence[int]) -> States:
        return (like.new_zeros(like.shape[0], self.units, *spatial),) * self.num_states


def _activated(activation: Activation, x: Tensor) -> Tensor:
    return x if activation.step is None else activation.step(x)
