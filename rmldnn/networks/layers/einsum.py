"""Products with a kernel along any axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape
from rmldnn.networks.layout import channels_first, channels_last, size
from rmldnn.networks.variable import Variable
from rmldnn.types import Count

_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class EinsumDense(nn.Module):
    """A sum of products of a tensor in Keras' order with a kernel, and a bias.

    Args:
        equation: As `torch.einsum` has it.
        kernel: Shape of the kernel.
        bias: Shape of the bias; none if absent.
    """

    bias: nn.Parameter | None

    def __init__(self, equation: str, kernel: tuple[int, ...], bias: tuple[int, ...] | None) -> None:
        super().__init__()
        self.equation = equation
        self.weight = nn.Parameter(torch.empty(kernel))
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty(bias)))

    def forward(self, x: Tensor) -> Tensor:
        """Multiplies and adds."""
        y = torch.einsum(self.equation, x, self.weight)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """The equation, for those who print the network."""
        return self.equation


@component("EinsumDense")
def einsum_dense(
    shape: Shape,
    keras: int,
    *,
    equation: str,
    output_shape: Count | list[Count | None],
    activation: str | dict[str, Any] | None = None,
    bias_axes: str | None = None,
    kernel_initializer: str | dict[str, Any] | None = "glorot_uniform",
    bias_initializer: str | dict[str, Any] | None = "zeros",
) -> Layer:
    """The product that an equation describes, such as `abc,cd->abd`: a letter for each axis, the batch first.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras that wrote the file.
        equation: Axes of the input, axes of the kernel, axes of the result; `...` stands for axes left as they are.
        output_shape: Keras shape of the result without the batch and without the axes of `...`; null for axes as in
            the input.
        activation: Applied to the result.
        bias_axes: Axes of the result along which a bias differs; none if not given.
        kernel_initializer: Initial kernel.
        bias_initializer: Initial bias.
    """
    equation = equation.replace(" ", "")
    match = _FORM.fullmatch(equation)
    if match is None or match.group(1, 3) != match.group(5, 7) or all(match.group(1, 3)):
        raise NetworkError(
            f"equation {show(equation)} must be like `ab,bc->ac`, `...b,bc->...c` or `ab...,bc->ac...`; change it"
        )
    before, behind = match.group(1, 3)
    entering, weights, leaving = match[2], match[4], match[6]
    inputs: list[int | None] = [None, *shape]
    elided = len(inputs) - len(entering)
    if elided < 0 or (elided > 0 and not (before or behind)):
        raise NetworkError(
            f"equation `{equation}` has {len(entering)} axes for the batch and its input of {size(shape)}; change it"
        )
    given = [output_shape] if isinstance(output_shape, int) else list(output_shape)
    # the batch is among the axes of a leading `...`, unless that stands for none
    named = given if before and elided else [None, *given]
    if len(named) != len(leaving):
        raise NetworkError(
            f"output_shape {show(output_shape)} does not name the axes `{leaving}` of `{equation}` one by one"
        )
    rest = inputs[:elided] if before else inputs[len(entering) :]
    known: dict[str, int | None] = dict(zip(leaving, named, strict=True))
    for letter, extent in zip(entering, inputs[elided:] if before else inputs[: len(entering)], strict=True):
        if letter in known and None not in (known[letter], extent) and known[letter] != extent:
            raise NetworkError(
                f"axis `{letter}` of `{equation}` is {extent} in its input of {size(shape)} and {known[letter]} in "
                "`output_shape`; change `output_shape`"
            )
        known[letter] = extent if extent is not None else known.get(letter)
    kernel = _extents(weights, known, equation)
    bias = _bias(bias_axes, leaving, known, equation)
    if bias is not None and behind:
        bias = (*bias, *(1 for _ in rest))
    ending = [known[letter] for letter in leaving]
    result = tuple([*rest, *ending] if before else [*ending, *rest])[1:]
    variables = [Variable("kernel", "weight", kernel, initializer=kernel_initializer or "glorot_uniform")]
    if bias is not None:
        variables.append(Variable("bias", "bias", bias, initializer=bias_initializer or "zeros"))
    module = initialized(EinsumDense, equation, kernel, bias, variables=variables)
    return Layer(
        result,
        (*channels_last(shape), module, *channels_first(result)),
        activations.find(activation, result, keras),
        tuple(variables),
    )


def _bias(axes: str | None, leaving: str, known: Mapping[str, int | None], equation: str) -> tuple[int, ...] | None:
    """The shape of the bias: from the first of its axes on, 1 along the others."""
    if not axes:
        return None
    if any(axis not in leaving for axis in axes):
        raise NetworkError(f"bias_axes `{axes}` are not all axes of the result of `{equation}`; change `bias_axes`")
    ending = leaving[min(map(leaving.index, axes)) :]
    return tuple(_extents(axis, known, equation)[0] if axis in axes else 1 for axis in ending)


def _extents(axes: str, known: Mapping[str, int | None], equation: str) -> tuple[int, ...]:
    extents = tuple(known.get(axis) for axis in axes)
    fixed = tuple(extent for extent in extents if extent is not None)
    if len(fixed) < len(extents):
        axis = axes[extents.index(None)]
        raise NetworkError(
            f"axis `{axis}` of its weights in `{equation}` has no fixed extent; write it into `output_shape`, or give "
            "the input a full `batch_input_shape`"
        )
    return fixed
