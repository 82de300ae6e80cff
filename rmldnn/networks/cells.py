"""The recurrent cells that Keras has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.networks.recurrence import Cell, Form, Recurrence, States
from rmldnn.networks.windows import Window, flat, same_sides

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class SimpleRNN(Cell):
    """The activation of a sum of two products."""

    gates = 1

    @property
    def fusible(self) -> bool:
        """With the activations for which torch has kernels."""
        return self.nonlinearities.value.name in _SIMPLE

    def fused(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """By torch's kernel, which adds a second bias."""
        run = _SIMPLE[self.nonlinearities.value.name]
        outputs, last = run(x, states[0][None], *_weights(self, self.bias))
        return outputs, (last[0],)

    def step(self, inputs: Tensor, states: States, masks: Sequence[Tensor]) -> States:
        """One state, the output."""
        return (self.value(inputs + self.recurring(states[0], masks, slice(0, 1))),)


class LSTM(Cell):
    """Long short-term memory; Hochreiter and Schmidhuber, 1997."""

    gates = 4
    num_states = 2

    @property
    def fusible(self) -> bool:
        """With the activations that everybody uses."""
        return self.nonlinearities.names == ("tanh", "sigmoid")

    def fused(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """By torch's kernel, which adds a second bias."""
        entering = [state[None] for state in states]
        outputs, hidden, memory = torch.lstm(x, entering, *_weights(self, self.bias))
        return outputs, (hidden[0], memory[0])

    def step(self, inputs: Tensor, states: States, masks: Sequence[Tensor]) -> States:
        """Two states, the output and the memory."""
        hidden, memory = states
        enter, forget, new, leave = (inputs + self.recurring(hidden, masks, slice(0, 4))).chunk(4, 1)
        memory = self.gate(forget) * memory + self.gate(enter) * self.value(new)
        return self.gate(leave) * self.value(memory), memory


class GRU(Cell):
    """Gated recurrent unit; Cho et al., 2014. With a bias of two rows, for inputs and states, it is cuDNN's.

    Args:
        reset_after: Whether the reset gate multiplies the product of the state, else the state itself.
        arguments: Those of `Cell`.
    """

    gates = 3

    def __init__(self, reset_after: bool, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reset_after = reset_after

    @property
    def fusible(self) -> bool:
        """As torch has it."""
        return self.reset_after and self.nonlinearities.names == ("tanh", "sigmoid")

    def fused(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """By torch's kernel, in which the reset gate comes first."""
        weights = [self.weight_ih, self.weight_hh] + ([] if self.bias is None else [*self.bias])
        parts = (weight.chunk(3) for weight in weights)
        ordered = [torch.cat([reset, update, new]) for update, reset, new in parts]
        outputs, last = torch.gru(x, states[0][None], ordered, *_options(self.bias is not None))
        return outputs, (last[0],)

    @property
    def input_bias(self) -> Tensor | None:
        """The first row where there are two."""
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def step(self, inputs: Tensor, states: States, masks: Sequence[Tensor]) -> States:
        """One state, the output."""
        (hidden,) = states
        from_update, from_reset, from_new = inputs.chunk(3, 1)
        if self.reset_after:
            bias = None if self.bias is None else self.bias[1]
            update, reset, new = self.recurring(hidden, masks, slice(0, 3), bias).chunk(3, 1)
            update, reset = self.gate(from_update + update), self.gate(from_reset + reset)
            new = self.value(from_new + reset * new)
        else:
            update, reset = self.recurring(hidden, masks, slice(0, 2)).chunk(2, 1)
            update, reset = self.gate(from_update + update), self.gate(from_reset + reset)
            new = self.value(from_new + self.recurring(reset * hidden, masks, slice(2, 3)))
        return (update * hidden + (1 - update) * new,)


class ConvLSTM(LSTM):
    """LSTM with convolutions as products; Shi et al., 2015.

    Args:
        window: The window of the convolution of inputs; that of states has its extent alone.
        same: Whether the inputs are padded as `same` asks for, else not at all.
        arguments: Those of `Cell`.
    """

    def __init__(self, window: Window, same: bool, *arguments: Any) -> None:
        super().__init__(*arguments, window=window.extent)
        self.window = window
        self.same = same
        self.convolve = _CONVOLUTIONS[len(window.extent)]
        sides = [same_sides(extent, extent, 1) for extent in window.extent]
        self.state_padding = flat(sides)

    @property
    def fusible(self) -> bool:
        """Never."""
        return False

    def input_product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolutions of all steps at once."""
        images = x.flatten(0, 1)
        if self.same:
            axes = zip(images.shape[2:], self.window.reach, self.window.stride, strict=True)
            images = functional.pad(images, flat([same_sides(*axis) for axis in axes]))
        product: Tensor = self.convolve(images, weight, bias, self.window.stride, 0, self.window.dilation)
        return torch.unflatten(product, 0, x.shape[:2])

    def state_product(self, state: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """A convolution that keeps the extents."""
        product: Tensor = self.convolve(functional.pad(state, self.state_padding), weight, bias)
        return product


class Stacked(Recurrence):
    """Cells on top of each other: each reads the outputs of the one before it.

    Args:
        form: What is read and given; the states of all cells in turn.
        cells: The cells.
    """

    def __init__(self, form: Form, cells: Sequence[Cell]) -> None:
        super().__init__(form)
        self.cells = nn.ModuleList(cells)
        self.counts = [cell.num_states for cell in cells]

    def run(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Cell by cell over the whole sequence, which is the same as step by step."""
        last: list[Tensor] = []
        for cell, count in zip(self.cells, self.counts, strict=True):
            x, leaving = cast(Cell, cell).run(x, states[len(last) : len(last) + count])
            last += leaving
        return x, tuple(last)


_SIMPLE: dict[str, Any] = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


def _weights(cell: Cell, bias: Tensor | None) -> tuple[Any, ...]:
    weights = [cell.weight_ih, cell.weight_hh, *([] if bias is None else [bias, torch.zeros_like(bias)])]
    return (weights, *_options(bias is not None))


def _options(has_bias: bool) -> tuple[Any, ...]:
    """What torch's kernels want besides: one layer of one direction, no dropout, the batch first.

    Mode `training` keeps what the backward pass needs; cuDNN refuses it otherwise, even where nothing is dropped.
    """
    return (has_bias, 1, 0.0, torch.is_grad_enabled(), False, True)
