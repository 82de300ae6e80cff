"""Element by element: operands of other extents follow numpy's rule, in Keras' order of axes.

Adding an operation is adding a line: the function of torch, and what it is of a tensor and a number where that is
shorter.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmldnn.component import show
from rmldnn.errors import NetworkError
from rmldnn.networks import activations
from rmldnn.networks.layer import Layer, Step
from rmldnn.networks.operations.operands import (
    BATCH,
    Build,
    Given,
    Operand,
    Sizes,
    applied,
    constant,
    numbers,
    tensor,
    words,
)


@dataclass(frozen=True)
class Pointwise:
    """An operation of one or several operands.

    Args:
        function: The function of tensors.
        operands: How many it takes.
        settings: Its further arguments and their defaults.
        number: The function and the keyword by which it takes a number as second operand.
        swapped: The same for a number as first operand.
        extents: The same with numbers, for the extents of tensors.
    """

    function: Callable[..., Tensor]
    operands: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    number: tuple[Callable[..., Tensor], str] | None = None
    swapped: tuple[Callable[..., Tensor], str] | None = None
    extents: Callable[[int, int], int] | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its arguments, operands first."""
        return (*("x", "y", "z", "v", "w")[: self.operands], *self.settings)

    def __call__(self, **given: Any) -> Layer:
        """The layer for these arguments."""
        operands = [given[name] for name in self.parameters[: self.operands]]
        settings = {name: given.get(name, default) for name, default in self.settings.items()}
        if any(isinstance(one, Given) for one in operands):
            operands = [_known(one) if isinstance(one, Sizes) else one for one in operands]
        elif self.extents is not None and any(isinstance(one, Sizes) for one in operands):
            return Layer(_extents(self.extents, operands))
        match operands:
            case [Given() as one, int() | float() as value] if self.number is not None:
                return Layer(one.shape, (partial(self.number[0], **{self.number[1]: value}),))
            case [int() | float() as value, Given() as one] if self.swapped is not None:
                return Layer(one.shape, (partial(self.swapped[0], **{self.swapped[1]: value}),))
        return broadcast(partial(self.function, **settings) if settings else self.function, *operands)


def broadcast(function: Step, *operands: Operand) -> Layer:
    """The layer of a function of tensors with the same number of axes, and of constants that have no more."""
    ranks = {one.rank for one in operands if isinstance(one, Given)}
    if len(ranks) > 1:
        met = " and ".join(words(one) for one in operands)
        raise NetworkError(
            f"cannot combine {met}: their first axes, the batch, do not meet; "
            "give them the same number of axes with Reshape, or keep the axes of a mean with `keepdims`"
        )
    return applied(function, [_spread(one, *ranks) for one in operands], aligned=True)


def _spread(operand: Operand, rank: int = 0) -> Operand:
    """A constant with as many axes as the tensors."""
    if isinstance(operand, Given | Sizes):
        return operand
    value = constant(operand)
    if value.ndim and (value.ndim > rank or (value.ndim == rank and len(value) > 1)):
        raise NetworkError(
            f"a constant of shape {tuple(value.shape)} does not fit tensors of {rank} axes, the batch included; "
            "give it at most their axes, with 1 for the batch"
        )
    spread: Operand = value.reshape([1] * (rank - value.ndim) + list(value.shape)).tolist()
    return spread if value.ndim else operand


def parameters(build: Build) -> dict[str, bool]:
    """Names of an implementation's arguments in order, and whether each is needed."""
    if isinstance(build, Pointwise):
        return {name: place < build.operands for place, name in enumerate(build.parameters)}
    return {
        name: parameter.default is parameter.empty for name, parameter in inspect.signature(build).parameters.items()
    }


def _known(sizes: Sizes) -> Operand:
    """Extents that are known, as plain numbers."""
    if not all(isinstance(number, int) for number in sizes.numbers):
        return sizes
    return sizes.numbers[0] if sizes.single else list(sizes.numbers)  # type: ignore[return-value]


def _extents(function: Callable[[int, int], int], operands: list[Operand]) -> Sizes:
    """Arithmetic with extents; what is not known stays so."""
    lists = [numbers(one) for one in operands]
    count = max(map(len, lists))
    pairs = zip(*(one * (count if len(one) == 1 else 1) for one in lists), strict=True)
    single = not any(isinstance(one, list) or (isinstance(one, Sizes) and not one.single) for one in operands)
    known = [function(a, b) if isinstance(a, int) and isinstance(b, int) else None for a, b in pairs]
    return Sizes(known, single=single)


def _binary(
    function: Callable[..., Tensor],
    number: tuple[Callable[..., Tensor], str] | None = None,
    swapped: tuple[Callable[..., Tensor], str] | None = None,
    extents: Callable[[int, int], int] | None = None,
) -> Pointwise:
    return Pointwise(function, 2, {}, number, swapped, extents)


def activation(name: str) -> Build:
    """The implementation of an activation that has nothing to set."""

    def build(x: Operand) -> Layer:
        return Layer(tensor(x).shape, activation=activations.find(name))

    return build


def quotient(x: Tensor, numerator: float) -> Tensor:
    """A number divided by a tensor."""
    return numerator / x


def power_of(x: Tensor, base: float) -> Tensor:
    """A number to the power of a tensor."""
    return torch.pow(base, x)


def floored_quotient(x: Tensor, other: Tensor | float) -> Tensor:
    """The quotient without its fraction; `torch.floor_divide` rounds as Python does, not as TensorFlow."""
    return torch.floor(torch.div(x, other)) if x.is_floating_point() else torch.floor_divide(x, other)


def divide_no_nan(x: Tensor, y: Tensor) -> Tensor:
    """The quotient, and 0 where the divisor is."""
    return torch.where(y == 0, torch.zeros_like(y), x / torch.where(y == 0, torch.ones_like(y), y))


def multiply_no_nan(x: Tensor, y: Tensor) -> Tensor:
    """The product, and 0 where the second factor is, even of infinity."""
    return torch.where(y == 0, torch.zeros_like(y), x * y)


def xdivy(x: Tensor, y: Tensor) -> Tensor:
    """The quotient, and 0 where the dividend is."""
    return torch.where(x == 0, torch.zeros_like(x), x / y)


def squared_difference(x: Tensor, y: Tensor | float) -> Tensor:
    """The square of the difference."""
    return torch.square(x - y)


def gelu(x: Tensor, approximate: bool) -> Tensor:
    """Gaussian error linear units, by the error function or by the hyperbolic tangent."""
    return functional.gelu(x, approximate="tanh" if approximate else "none")


def squareplus(x: Tensor, b: float) -> Tensor:
    """A smooth ramp: `(x + sqrt(x^2 + b)) / 2`."""
    return (x + torch.sqrt(torch.square(x) + b)) / 2


def sparse_plus(x: Tensor) -> Tensor:
    """0 below -1, x above 1, a parabola between."""
    return torch.where(x <= -1, 0.0, torch.where(x < 1, torch.square(x + 1) / 4, x))


def sparse_sigmoid(x: Tensor) -> Tensor:
    """A straight line from 0 at -1 to 1 at 1."""
    return torch.clamp((x + 1) / 2, 0.0, 1.0)


def normalised(x: Tensor, mean: Tensor, variance: Tensor, offset: Tensor, scale: Tensor, epsilon: float) -> Tensor:
    """Batch normalization with given statistics."""
    return (x - mean) * (torch.rsqrt(variance + epsilon) * scale) + offset


def chosen(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`x` where the condition holds, else `y`."""
    return torch.where(condition.bool(), x, y)


def zeros_like(x: Tensor) -> Tensor:
    """0 everywhere."""
    return torch.zeros_like(x)


def full_like(x: Tensor, value: float) -> Tensor:
    """One number everywhere."""
    return torch.full_like(x, value)


def total(*tensors: Tensor) -> Tensor:
    """The sum of tensors."""
    return reduce(torch.add, tensors)


class ToFloat(nn.Module):
    """Turns integers and truth values into numbers of the network's precision, and leaves others."""

    precision: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("precision", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers."""
        return x if x.is_floating_point() else x.to(self.precision.dtype)


def whole(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers without their fractions, or whether they are other than 0."""
    return x.to(dtype)


WHOLE = {name: getattr(torch, name) for name in ("bool", "uint8", "int8", "int16", "int32", "int64")}


def cast(x: Operand, dtype: Any = "float32") -> Layer:
    """Another type; among types of fractions, the network's own precision stays."""
    if isinstance(x, Sizes):
        return Layer(x)
    if dtype in WHOLE:
        return Layer(tensor(x).shape, (partial(whole, dtype=WHOLE[dtype]),))
    if dtype not in ("float32", "float64"):
        raise NetworkError(f"casts to {show(dtype)}; cast to float32, an integer type or bool")
    return Layer(tensor(x).shape, (ToFloat(),))


def clip(x: Operand, minimum: Operand | None = None, maximum: Operand | None = None) -> Layer:
    """Numbers between two limits."""
    limits = {"min": minimum, "max": maximum}
    given = {key: value for key, value in limits.items() if value is not None}
    if all(isinstance(value, int | float) for value in given.values()):
        return Layer(tensor(x).shape, (partial(torch.clamp, **given),) if given else ())
    if minimum is None or maximum is None:
        raise NetworkError("clips to a list of numbers; give it both limits")
    return broadcast(torch.clamp, x, minimum, maximum)


def add_n(x: list[Operand]) -> Layer:
    """The sum of a list."""
    return broadcast(total, *x)


def round_to(x: Operand, decimals: int = 0) -> Layer:
    """The nearest number with that many decimals, the even one of two."""
    return Layer(tensor(x).shape, (partial(torch.round, decimals=decimals) if decimals else torch.round,))


def identity(x: Operand) -> Layer:
    """The tensor itself."""
    return Layer(x if isinstance(x, Sizes) else tensor(x).shape)


def batch_normalization(
    x: Operand,
    mean: Operand,
    variance: Operand,
    offset: Operand = 0.0,
    scale: Operand = 1.0,
    epsilon: float = 1e-3,
    axis: int = -1,
) -> Layer:
    """Batch normalization with statistics that are operands."""
    if axis not in (-1, tensor(x).rank - 1):
        raise NetworkError(f"normalizes along axis {axis}; only the last one, the channels, can be")
    return broadcast(partial(normalised, epsilon=epsilon), x, mean, variance, offset, scale)


def shape_of(x: Operand) -> Layer:
    """The extents of a tensor, the batch first."""
    return Layer(Sizes((BATCH, *tensor(x).shape)))


_UNARY = (
    torch.abs,
    torch.acos,
    torch.acosh,
    torch.asin,
    torch.asinh,
    torch.atan,
    torch.atanh,
    torch.ceil,
    torch.cos,
    torch.cosh,
    torch.digamma,
    torch.erf,
    torch.erfc,
    torch.erfinv,
    torch.exp,
    torch.exp2,
    torch.expm1,
    torch.floor,
    torch.isfinite,
    torch.isinf,
    torch.isnan,
    torch.lgamma,
    torch.log,
    torch.log10,
    torch.log1p,
    torch.log2,
    torch.logical_not,
    torch.neg,
    torch.ones_like,
    torch.reciprocal,
    torch.rsqrt,
    torch.sign,
    torch.sin,
    torch.sinh,
    torch.sqrt,
    torch.square,
    torch.tan,
    torch.trunc,
)

_ACTIVATIONS = (
    "hard_sigmoid",
    "hard_silu",
    "log_sigmoid",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "tanh",
)

OPERATIONS: dict[str, Build] = {
    **{function.__name__: Pointwise(function) for function in _UNARY},
    **{name: activation(name) for name in _ACTIVATIONS},
    "add": _binary(torch.add, (torch.add, "other"), (torch.add, "other"), operator.add),
    "add_n": add_n,
    "atan2": _binary(torch.atan2),
    "batch_normalization": batch_normalization,
    "cast": cast,
    "celu": Pointwise(functional.celu, 1, {"alpha": 1.0}),
    "clip": clip,
    "divide": _binary(torch.div, (torch.div, "other"), (quotient, "numerator")),
    "divide_no_nan": _binary(divide_no_nan),
    "elu": Pointwise(functional.elu, 1, {"alpha": 1.0}),
    "equal": _binary(torch.eq, (torch.eq, "other"), (torch.eq, "other")),
    "floor_divide": _binary(floored_quotient, (floored_quotient, "other"), None, operator.floordiv),
    "full_like": Pointwise(full_like, 1, {"value": 0.0}),
    "gelu": Pointwise(gelu, 1, {"approximate": False}),
    "greater": _binary(torch.gt, (torch.gt, "other"), (torch.lt, "other")),
    "greater_equal": _binary(torch.ge, (torch.ge, "other"), (torch.le, "other")),
    "hard_shrink": Pointwise(functional.hardshrink, 1, {"lambd": 0.5}),
    "hard_tanh": Pointwise(functional.hardtanh),
    "hypot": _binary(torch.hypot),
    "identity": identity,
    "leaky_relu": Pointwise(functional.leaky_relu, 1, {"negative_slope": 0.2}),
    "less": _binary(torch.lt, (torch.lt, "other"), (torch.gt, "other")),
    "less_equal": _binary(torch.le, (torch.le, "other"), (torch.ge, "other")),
    "logaddexp": _binary(torch.logaddexp),
    "logical_and": _binary(torch.logical_and),
    "logical_or": _binary(torch.logical_or),
    "logical_xor": _binary(torch.logical_xor),
    "maximum": _binary(torch.maximum, (torch.clamp, "min"), (torch.clamp, "min"), max),
    "minimum": _binary(torch.minimum, (torch.clamp, "max"), (torch.clamp, "max"), min),
    "mod": _binary(torch.remainder, (torch.remainder, "other")),
    "multiply": _binary(torch.mul, (torch.mul, "other"), (torch.mul, "other"), operator.mul),
    "multiply_no_nan": _binary(multiply_no_nan),
    "nan_to_num": Pointwise(torch.nan_to_num, 1, {"nan": 0.0, "posinf": None, "neginf": None}),
    "not_equal": _binary(torch.ne, (torch.ne, "other"), (torch.ne, "other")),
    "power": _binary(torch.pow, (torch.pow, "exponent"), (power_of, "base")),
    "round": round_to,
    "shape": shape_of,
    "soft_shrink": Pointwise(functional.softshrink, 1, {"lambd": 0.5}),
    "sparse_plus": Pointwise(sparse_plus),
    "sparse_sigmoid": Pointwise(sparse_sigmoid),
    "squared_difference": _binary(squared_difference, (squared_difference, "y"), (squared_difference, "y")),
    "squareplus": Pointwise(squareplus, 1, {"b": 4.0}),
    "stop_gradient": Pointwise(torch.detach),
    "subtract": _binary(torch.sub, (torch.sub, "other"), (torch.rsub, "other"), operator.sub),
    "tanh_shrink": Pointwise(functional.tanhshrink),
    "threshold": Pointwise(functional.threshold, 1, {"threshold": 0.0, "value": 0.0}),
    "where": Pointwise(chosen, 3),
    "xdivy": _binary(xdivy),
    "xlogy": _binary(torch.xlogy),
    "zeros_like": Pointwise(zeros_like),
}
