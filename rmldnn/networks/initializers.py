"""Initial values of weights, drawn as the initializer that a Keras file names draws them.

Positional parameters of an initializer are the tensor to fill, the fans of its Keras kernel, and where the random
numbers come from: torch's global generator, or one seeded with the file's `seed`.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from torch import Generator, Tensor, nn

from rmldnn.component import Form, component, form, near_miss, show
from rmldnn.errors import NetworkError, Problem
from rmldnn.types import NonNegative, Positive

BEYOND_CLIPPING = 0.87962566103423978
"""Standard deviation of a standard normal distribution that is cut off at 2."""


class Fans(NamedTuple):
    """How many inputs and outputs one weight serves, as Keras counts them on its own kernel."""

    inputs: int
    outputs: int


def fans(weight: Tensor) -> Fans:
    """The fans of a kernel that torch stores as (out, in, *window): a dense or convolution kernel, or a bias."""
    if weight.dim() < 2:
        return Fans(weight.numel(), weight.numel())
    window = math.prod(weight.shape[2:])
    return Fans(weight.shape[1] * window, weight.shape[0] * window)


def initialized(kind: type[nn.Module], *arguments: Any, **initial: str | Mapping[str, Any] | None) -> nn.Module:
    """A new module whose parameters have the initial values that a file asks for.

    Args:
        kind: The module's class.
        arguments: What it is made with.
        initial: By the name of a parameter its initializer as the file writes it: a name, an object of `class_name`
            and `config`, or null for what torch does. Parameters that the module lacks are passed over.

    Raises:
        NetworkError: An initializer is wrong, or the parameters do not fit into memory.
    """
    fills = {name: find(choice, name) for name, choice in initial.items() if choice is not None}
    try:
        module = _blank(kind)(*arguments)
    except (RuntimeError, MemoryError):
        raise NetworkError(
            f"its {_number(kind, arguments)} parameters do not fit into memory; make the layer smaller"
        ) from None
    module.__class__ = kind
    parameters = dict(module.named_parameters(recurse=False))
    if parameters.keys() - fills.keys():
        module.reset_parameters()  # type: ignore[operator]
    for name, parameter in parameters.items():
        if name in fills:
            fills[name](parameter)
    return module


def _blank(kind: type[nn.Module]) -> type[nn.Module]:
    """The class with parameters that nobody has filled yet; `torch.nn.utils.skip_init` would load a compiler first."""
    return type(kind.__name__, (kind,), {"reset_parameters": lambda _: None})


def _number(kind: type[nn.Module], arguments: tuple[Any, ...]) -> str:
    """How many parameters a module has that is too large to be made."""
    try:
        sizes = [parameter.numel() for parameter in _blank(kind)(*arguments, device="meta").parameters()]
    except RuntimeError:
        return f"more than {2**60:,}"
    return f"{sum(sizes):,}"


def find(choice: str | Mapping[str, Any], place: str) -> Callable[[Tensor], None]:
    """The initializer that a file names, its keys checked.

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
        generator = Generator(tensor.device).manual_seed(seed) if isinstance(seed, int) else None
        try:
            function(tensor.data, fans(tensor), generator, **values)
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
    nn.init.orthogonal_(weight, gain, generator=generator)


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
    nn.init.eye_(weight).mul_(gain)
