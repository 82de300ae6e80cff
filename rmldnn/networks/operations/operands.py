"""What an operation is given, and the shape of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy
import torch
from torch import Tensor, nn

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import size

BATCH = "batch"
"""Stands for the number of samples among the numbers of `Sizes`."""


Extent: TypeAlias = int | str | None


class Sizes(tuple[int | None, ...]):
    """What `tf.shape` gives, and sums it up: the extents of a tensor, which are known while the network is compiled.

    It is the Keras shape of a value for which nothing is computed: the tensor itself is handed on in its place.

    Args:
        numbers: The extents; `BATCH` for the number of samples, None where a tensor may have any extent.
        single: Whether it is one number instead of a list.
    """

    numbers: tuple[Extent, ...]
    single: bool

    def __new__(cls, numbers: Sequence[Extent], *, single: bool = False) -> Sizes:
        """Makes one."""
        made = super().__new__(cls)
        made.numbers = tuple(numbers)
        made.single = single
        return made


@dataclass(frozen=True)
class Given:
    """A tensor that enters an operation.

    Args:
        number: Its number among the tensors of the call.
        shape: Its Keras shape.
    """

    number: int
    shape: Shape

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape) + 1


Number: TypeAlias = int | float | bool
Operand: TypeAlias = Given | Sizes | Number | list[Any]


class Fixed(nn.Module):
    """A function some of whose operands are constants.

    Args:
        function: Takes all operands.
        operands: The numbers of tensors of the call, and constants.
        alike: Whether constants take the type of the tensors; indices do not.
    """

    def __init__(self, function: Step, operands: Sequence[int | Tensor], *, alike: bool = True) -> None:
        super().__init__()
        self.function = function
        self.numbers = [operand if isinstance(operand, int) else None for operand in operands]
        self.alike = alike
        for index, operand in enumerate(operands):
            if isinstance(operand, Tensor):  # in 64 bits, so that a network of either precision has them exactly
                self.register_buffer(f"constant{index}", operand, persistent=False)

    def forward(self, *tensors: Tensor) -> Any:
        """The function of the tensors and the constants."""
        floating = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
        operands = []
        for index, number in enumerate(self.numbers):
            if number is not None:
                operands.append(tensors[number])
                continue
            constant: Tensor = getattr(self, f"constant{index}").to(tensors[0].device)
            if self.alike and constant.dtype != torch.bool and (floating is not None or constant.is_floating_point()):
                constant = constant.to(torch.get_default_dtype() if floating is None else floating.dtype)
            operands.append(constant)
        return self.function(*operands)

    def extra_repr(self) -> str:
        """The function's name, for those who print the network."""
        function = getattr(self.function, "func", self.function)
        return str(getattr(function, "__name__", function))


def constant(value: Any) -> Any:
    """A number or nested list as a numpy array in Keras' order, integers as such and others in 64 bits."""
    try:
        array = numpy.asarray(value)
    except ValueError:
        array = numpy.asarray(None)
    if array.dtype.kind not in "biuf":
        raise NetworkError(
            f"its operand must be a number or nested lists of numbers of equal length, got {show(value)}"
        )
    return array.astype({"b": "bool", "f": "float64"}.get(array.dtype.kind, "int64"))


def _stored(value: Any) -> Tensor:
    """A constant with its channels first; made by numpy, as torch has none while a network is only measured."""
    array = constant(value)
    return torch.from_numpy(numpy.ascontiguousarray(numpy.moveaxis(array, -1, 1) if array.ndim > 2 else array))


def to_first(x: Tensor) -> Tensor:
    """A tensor in Keras' order of axes as tensors are stored, channels first."""
    return x.movedim(-1, 1) if x.dim() > 2 else x


def to_last(x: Tensor) -> Tensor:
    """A stored tensor in Keras' order of axes."""
    return x.movedim(1, -1) if x.dim() > 2 else x


def all_to_first(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Tensors in Keras' order of axes as tensors are stored."""
    return tuple(to_first(tensor) for tensor in tensors)


def numbers(operand: Any) -> list[Any]:
    """Extents of a tensor, or numbers, as a list; nested ones stay as they are."""
    if isinstance(operand, Sizes):
        return list(operand.numbers)
    return list(operand) if isinstance(operand, list) else [operand]


def tensor(operand: Any, key: str = "its first operand") -> Given:
    """The operand, which must be a tensor."""
    if not isinstance(operand, Given):
        raise NetworkError(f"{key} must be a tensor of the network, got {words(operand)}")
    return operand


def words(operand: Any) -> str:
    """An operand as messages call it."""
    if isinstance(operand, Given):
        return f"a tensor of {size(operand.shape)}"
    if isinstance(operand, list):
        return f"a constant of {size(constant(operand).shape)}"
    return "the extents of a tensor" if isinstance(operand, Sizes) else show(operand)


def applied(function: Step, operands: Sequence[Operand], *, aligned: bool = False, alike: bool = True) -> Layer:
    """The layer of a function of stored tensors, and of constants in Keras' order laid out alike.

    Args:
        function: What computes the result, or a tuple of results.
        operands: What it takes.
        aligned: Whether the operands share their axes, so that an extent known of one is that of all.
        alike: Whether constants take the type of the tensors.
    """
    if any(isinstance(operand, Sizes) for operand in operands):
        raise NetworkError("computes with extents of a tensor, as `tf.shape` gives them; export the model with numbers")
    tensors = [operand for operand in operands if isinstance(operand, Given)]
    if not tensors:
        raise NetworkError("takes no tensor; export the model with the result in its place")
    step = function
    if [one.number for one in tensors] != list(range(len(operands))):
        fixed = [one.number if isinstance(one, Given) else _stored(one) for one in operands]
        step = Fixed(function, fixed, alike=alike)
    ordered = sorted({one.number: one for one in tensors}.values(), key=lambda one: one.number)
    return layer((step,), [one.shape for one in ordered], operands, aligned=aligned)


def layer(
    steps: tuple[Step, ...], shapes: Sequence[Shape], operands: Sequence[Operand] = (), *, aligned: bool = False
) -> Layer:
    """The layer of these steps; the shapes of its results are found by running them on tensors without elements.

    Args:
        steps: What it computes.
        shapes: Keras shapes of the tensors that enter.
        operands: All that it takes, for messages.
        aligned: Whether the tensors share their axes.
    """
    try:
        # an unknown extent and the batch are what results depend on; multiples of many numbers can be divided
        plain, batch, extent = (_results(steps, shapes, aligned, *sizes) for sizes in ((5, 240), (7, 240), (5, 360)))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        met = " and ".join(words(operand) for operand in operands) or " and ".join(size(shape) for shape in shapes)
        if aligned:
            raise NetworkError(
                f"cannot combine {met}: counted from the last axis, extents must be equal or 1; "
                "change the layers before it"
            ) from None
        reason = str(error).strip().split("\n")[0]
        raise NetworkError(f"cannot compute with {met} ({reason}); change the layers before it") from None
    found: list[Shape] = []
    for one, other, wider in zip(plain, batch, extent, strict=True):
        if not one or one[0] != 5 or other != (7, *one[1:]) or len(wider) != len(one):
            raise NetworkError("mixes the samples of a batch, or repeats them; leave the first axis, the batch, alone")
        stored = tuple(a if a == b else None for a, b in zip(one[1:], wider[1:], strict=True))
        if 0 in stored:
            raise NetworkError("its result is empty; change the layers before it, or its arguments")
        found.append((*stored[1:], *stored[:1]))
    return Layer(found[0], steps if len(found) > 1 else _unpacked(steps, plain), others=tuple(found[1:]))


def _unpacked(steps: tuple[Step, ...], results: _Results) -> tuple[Step, ...]:
    return (*steps, only) if results.packed else steps


def only(tensors: Sequence[Tensor]) -> Tensor:
    """The one tensor of a list."""
    (one,) = tensors
    return one


class _Results(list[tuple[int, ...]]):
    """Shapes of stored results, and whether they came as a tuple."""

    packed = False


def _results(steps: Sequence[Step], shapes: Sequence[Shape], aligned: bool, batch: int, extent: int) -> _Results:
    known: list[int | None] = [None] * max(map(len, shapes))
    for shape in shapes if aligned else ():
        known = [own if own not in (None, 1) else other for own, other in zip(shape, known, strict=True)]
    values: Any = []
    for shape in shapes:
        full = [own or other or extent for own, other in zip(shape, known, strict=False)]
        values.append(torch.empty((batch, *full[-1:], *full[:-1]), device="meta"))
    for index, step in enumerate(steps):
        values = step(*values) if index == 0 else step(values)
    found = _Results()
    found.packed = not isinstance(values, Tensor)
    found += [tuple(one.shape) for one in (values if found.packed else [values])]
    return found


Build: TypeAlias = Callable[..., Layer]
"""An implementation: operands and settings in, a layer out."""
