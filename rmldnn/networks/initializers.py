"""Initial values of weights, drawn as the initializer that a Keras file names draws them.

Positional parameters of an initializer are the tensor to fill, in Keras' shape, its fans, and where the random
numbers come from: torch's global generator, or one seeded with the file's `seed`.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Generator, Tensor, nn

from rmldnn.component import Form, component, form, near_miss, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.networks.variable import Variable
from rmldnn.types import NonNegative, Positive

M = TypeVar("M", bound=nn.Module)

BEYOND_CLIPPING = 0.87962566103423978
"""Standard deviation of a standard normal distribution that is cut off at 2."""


class Fans(NamedTuple):
    """How many inputs and outputs one weight serves, as Keras counts them on its own kernel."""

    inputs: int
    outputs: int


def fans(shape: Sequence[int]) -> Fans:
    """The fans of a weight in Keras' shape: (*window, in, out) for kernels."""
    if len(shape) < 2:
        return Fans(math.prod(shape), math.prod(shape))
    window = math.prod(shape[:-2])
    return Fans(shape[-2] * window, shape[-1] * window)


def initialized(kind: type[M], *arguments: Any, variables: Sequence[Variable]) -> M:
    """A new module whose parameters have the initial values that a file asks for.

    Args:
        kind: The module's class. Its `reset_parameters` fills all parameters as torch does; it is called only if
            some variable has no initializer, and its class must not draw random numbers otherwise.
        arguments: What it is made with.
        variables: Its weights, with the initializers that the file names.

    Raises:
        NetworkError: An initializer is wrong, or the parameters do not fit into memory.
    """
    fills = [
        (variable, find(variable.initializer, variable.name))
        for variable in variables
        if variable.initializer is not None
    ]
    try:
        module = _blank(kind)(*arguments)
    except (RuntimeError, MemoryError):
        raise NetworkError(
            f"its {_number(variables)} parameters do not fit into memory; make the layer smaller"
        ) from None
    module.__class__ = kind
    if len(fills) < sum(variable.trainable for variable in variables):
        module.reset_parameters()  # type: ignore[operator]
    for variable, fill in fills:
        fill(variable.view(attrgetter(variable.parameter)(module)))
    return module


def _blank(kind: type[M]) -> type[M]:
    """The class with parameters that nobody has filled yet; `torch.nn.utils.skip_init` would load a compiler first."""
    return type(kind.__name__, (kind,), {"reset_parameters": lambda _: None})


def _number(variables: Sequence[Variable]) -> str:
    """How many parameters a module has that is too large to be made."""
    number = sum(variable.size for variable in variables)
    return f"{number:,}" if number < 2**60 else f"more than {2**60:,}"


def find(choice: str | Mapping[str, Any], place: str) -> Callable[[Tensor], None]:
    """What fills a weight, in Keras' shape, as the file says; the keys of the initializer are checked.

    Args:
        choice: A name, or an object of `class_name` and `config`.
        place: What is initialised, for messages.

    Raises:
        NetworkError: No such initializer, with a near miss, or keys that it does not have.
    """
    if isinstance(choice, str):
        choice = {"class_name": choice}
    name, config = choice.get("class_name"), choice.get("config") or {}
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise NetworkError(f"the initializer of its {place} must be a name or an object with one, got {show(choice)}")
    initializer = _initializers().get(_key(name))
    if initializer is None:
        known = [function.component_name for function in _initializers().values()]
        raise NetworkError(f"unknown initializer `{name}` of its {place}{near_miss(name, known)}")
    function = initializer
    # what Keras writes besides: the type of the weights, and axes that only other layouts of a kernel need
    values = {key: value for key, value in config.items() if key not in ("dtype", "seed", *_unset(config))}
    path, seed = f"initializer of its {place}", config.get("seed")
    problems = list(_form(function).check(values, path))
    if isinstance(seed, int) and not -(2**63) <= seed < 2**64:
        problems.append(Problem(f"{path}.seed", f"must fit into 64 bits, got {show(seed)}"))
    if problems:
        raise NetworkError(problems)

    def fill(tensor: Tensor) -> None:
        if tensor.is_meta:  # only its shape is wanted
            return
        generator = Generator(tensor.device).manual_seed(seed) if isinstance(seed, int) else None
        try:
            function(tensor, fans(tensor.shape), generator, **values)
        except (RuntimeError, OverflowError) as error:  # numbers that are no 32-bit floats
            reason = str(error).partition("\n")[0]
            raise NetworkError(Problem(path, f"{show(values)} cannot be drawn: {reason}; change them")) from None

    return fill


def _unset(config: Mapping[str, Any]) -> list[str]:
    return [key for key in ("input_axes", "output_axes") if config.get(key) is None]


def _key(name: str) -> str:
    """`GlorotUniform` and `glorot_uniform` are the same."""
    return name.replace("_", "").lower()


@functools.cache
def _initializers() -> dict[str, Any]:
    marked = [value for value in vars(sys.modules[__name__]).values() if hasattr(value, "component_name")]
    return {_key(function.component_name): function for function in marked}


@functools.cache
def _form(function: Callable[..., Any]) -> Form:
    return form(function)


@component("VarianceScaling")
def variance_scaling(
    weight: Tensor,
    fans: Fans,
    generator: Generator | None = None,
    *,
    scale: Positive = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["truncated_normal", "untruncated_normal", "normal", "uniform"] = "truncated_normal",
) -> None:
    """Random values of variance `scale` over the fan.

    Args:
        weight: What to fill.
        fans: Its fans.
        generator: Source of randomness.
        scale: Numerator of the variance.
        mode: Which fan is the denominator.
        distribution: `normal` is the old name of `truncated_normal`.
    """
    fan = {"fan_in": fans.inputs, "fan_out": fans.outputs, "fan_avg": sum(fans) / 2}[mode]
    deviation = math.sqrt(scale / max(1.0, fan))
    if distribution == "uniform":
        limit = math.sqrt(3) * deviation
        nn.init.uniform_(weight, -limit, limit, generator=generator)
    elif distribution == "untruncated_normal":
        nn.init.normal_(weight, 0.0, deviation, generator=generator)
    else:
        truncated_normal(weight, fans, generator, mean=0.0, stddev=deviation / BEYOND_CLIPPING)


@component("GlorotUniform")
def glorot_uniform(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Uniform values of variance 2 / (inputs + outputs); Glorot and Bengio, 2010."""
    variance_scaling(weight, fans, generator, mode="fan_avg", distribution="uniform")


@component("GlorotNormal")
def glorot_normal(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Truncated normal values of variance 2 / (inputs + outputs); Glorot and Bengio, 2010."""
    variance_scaling(weight, fans, generator, mode="fan_avg")


@component("HeUniform")
def he_uniform(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Uniform values of variance 2 / inputs; He et al., 2015."""
    variance_scaling(weight, fans, generator, scale=2.0, distribution="uniform")


@component("HeNormal")
def he_normal(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Truncated normal values of variance 2 / inputs; He et al., 2015."""
    variance_scaling(weight, fans, generator, scale=2.0)


@component("LecunUniform")
def lecun_uniform(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Uniform values of variance 1 / inputs; LeCun et al., 1998."""
    variance_scaling(weight, fans, generator, distribution="uniform")


@component("LecunNormal")
def lecun_normal(weight: Tensor, fans: Fans, generator: Generator | None = None) -> None:
    """Truncated normal values of variance 1 / inputs; LeCun et al., 1998."""
    variance_scaling(weight, fans, generator)


@component("RandomNormal")
def random_normal(
    weight: Tensor, _: Fans, generator: Generator | None = None, *, mean: float = 0.0, stddev: NonNegative = 0.05
) -> None:
    """Normal values."""
    nn.init.normal_(weight, mean, stddev, generator=generator)


@component("TruncatedNormal")
def truncated_normal(
    weight: Tensor, _: Fans, generator: Generator | None = None, *, mean: float = 0.0, stddev: Positive = 0.05
) -> None:
    """Normal values, redrawn beyond two standard deviations."""
    nn.init.trunc_normal_(weight, mean, stddev, mean - 2 * stddev, mean + 2 * stddev, generator=generator)


@component("RandomUniform")
def random_uniform(
    weight: Tensor, _: Fans, generator: Generator | None = None, *, minval: float = -0.05, maxval: float = 0.05
) -> None:
    """Uniform values."""
    if minval > maxval:
        raise NetworkError(f"`minval` {minval} of `RandomUniform` is above `maxval` {maxval}; swap them")
    nn.init.uniform_(weight, minval, maxval, generator=generator)


@component("Orthogonal")
def orthogonal(weight: Tensor, _: Fans, generator: Generator | None = None, *, gain: float = 1.0) -> None:
    """A random orthogonal matrix, the window and the inputs being one of its sides; Saxe et al., 2013."""
    if weight.dim() < 2:
        raise NetworkError("`Orthogonal` cannot fill a vector; use another initializer for the bias")
    matrix = weight.new_empty(math.prod(weight.shape[:-1]), weight.shape[-1])
    weight.copy_(nn.init.orthogonal_(matrix, gain, generator=generator).view(weight.shape))


@component("Zeros")
def zeros(weight: Tensor, _: Fans, __: Generator | None = None) -> None:
    """All 0."""
    nn.init.zeros_(weight)


@component("Ones")
def ones(weight: Tensor, _: Fans, __: Generator | None = None) -> None:
    """All 1."""
    nn.init.ones_(weight)


@component("Constant")
def constant(weight: Tensor, _: Fans, __: Generator | None = None, *, value: float = 0.0) -> None:
    """One value for all."""
    nn.init.constant_(weight, value)


@component("Identity")
def identity(weight: Tensor, _: Fans, __: Generator | None = None, *, gain: float = 1.0) -> None:
    """The unit matrix, for the kernel of a Dense layer."""
    if weight.dim() != 2:
        raise NetworkError("`Identity` fills only matrices; use another initializer")
    weight.copy_(torch.eye(*weight.shape)).mul_(gain)
