"""Normalisation.

Torch's own modules, with Keras' choice of axes, either of weight and bias left out at will, and Keras' statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from rmldnn.component import component
from rmldnn.errors import NetworkError
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import CHANNELS, channels_first, channels_last, dimension, size
from rmldnn.networks.variable import Variable
from rmldnn.types import Fraction, NonNegative


class _Affine(nn.Module):
    """A module of torch in which weight and bias are left out independently of each other."""

    def _keep(self, *, weight: bool, bias: bool) -> None:
        for name, kept in (("weight", weight), ("bias", bias)):
            if not kept:
                self.register_parameter(name, None)

    def reset_parameters(self) -> None:
        """Scales by 1 and adds 0."""
        for name, parameter in self.named_parameters(recurse=False):
            nn.init.constant_(parameter, float(name == "weight"))


class BatchNorm(_Affine, _BatchNorm):
    """Batch normalisation of (N, C, *spatial), with the running statistics of Keras.

    Args:
        channels: C.
        epsilon: Added to the variance.
        momentum: Torch's: the share of the new batch.
        scale: Whether there is a weight.
        center: Whether there is a bias.
        fused: Whether Keras leaves it to TensorFlow's fused kernel, which estimates the running variance without bias
            as torch does, and is not there for 64 bits; otherwise the variance is the batch's.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, channels: int, epsilon: float, momentum: float, scale: bool, center: bool, fused: bool) -> None:
        super().__init__(channels, epsilon, momentum, affine=scale or center)
        self._keep(weight=scale, bias=center)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        """Normalises; in training by the batch's own statistics, which enter the running ones."""
        mean, variance = self.running_mean, self.running_var
        weight: Tensor | None = self.weight
        bias: Tensor | None = self.bias
        if weight is None and bias is not None:  # kernels of GPUs take both or neither
            weight = torch.ones_like(bias)
        elif bias is None and weight is not None:
            bias = torch.zeros_like(weight)
        if not self.training:
            return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, self.eps)
        self.num_batches_tracked.add_(1)
        count = x.numel() // x.shape[1]
        if count == 1:
            return self._single(x)
        if self.fused and x.dtype != torch.float64:
            return functional.batch_norm(x, mean, variance, weight, bias, True, self.momentum, self.eps)
        # torch estimates without bias; a copy, as autograd holds what goes in and refuses it once it has changed
        share = (count - 1) / count
        enlarged = variance / share
        y = functional.batch_norm(x, mean, enlarged, weight, bias, True, self.momentum, self.eps)
        with torch.no_grad():
            torch.mul(enlarged, share, out=variance)
        return y

    def _single(self, x: Tensor) -> Tensor:
        """One value per channel, whose variance is 0; torch refuses it, Keras does not."""
        with torch.no_grad():
            self.running_mean.lerp_(x.reshape(-1).to(self.running_mean), self.momentum)
            self.running_var.mul_(1 - self.momentum)
        weight, bias = (
            default if one is None else one.view(1, -1, *(1 for _ in x.shape[2:]))
            for one, default in ((self.weight, 1.0), (self.bias, 0.0))
        )
        return (x - x) * weight + bias

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Every rank will do; torch asks this of its subclasses."""


@component("BatchNormalization")
def batch_normalization(
    shape: Shape,
    keras: int,
    *,
    axis: int | list[int] = -1,
    momentum: Fraction = 0.99,
    epsilon: NonNegative = 1e-3,
    center: bool = True,
    scale: bool = True,
    gamma_initializer: str | dict[str, Any] | None = None,
    beta_initializer: str | dict[str, Any] | None = None,
    moving_mean_initializer: str | dict[str, Any] | None = None,
    moving_variance_initializer: str | dict[str, Any] | None = None,
    synchronized: bool = False,  # noqa: ARG001 - a matter of the run
    fused: bool | None = None,
    renorm: Literal[False] | None = False,  # noqa: ARG001
    renorm_clipping: dict[str, Any] | None = None,  # noqa: ARG001
    renorm_momentum: float = 0.99,  # noqa: ARG001
    virtual_batch_size: None = None,  # noqa: ARG001
    adjustment: None = None,  # noqa: ARG001
) -> Layer:
    """Mean 0 and variance 1 of every channel over the batch; by running statistics outside of training.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras, on which the estimate of the running variance depends.
        axis: Keras axis of the channels, a number or a list of one.
        momentum: Share of the old running statistics that stays with every batch.
        epsilon: Added to the variance.
        center: Whether one number per channel is added.
        scale: Whether one number per channel multiplies.
        gamma_initializer: Initial factors; 1 if not given.
        beta_initializer: Initial summands; 0 if not given.
        moving_mean_initializer: Initial running means; 0 if not given.
        moving_variance_initializer: Initial running variances; 1 if not given.
        synchronized: Taken and not needed: the run decides how processes share statistics.
        fused: False for the plain arithmetic of Keras 2 even where TensorFlow has a fused kernel.
        renorm: Batch renormalisation is not computed.
        renorm_clipping: Without a meaning while `renorm` is false.
        renorm_momentum: Without a meaning while `renorm` is false.
        virtual_batch_size: Batches are not split.
        adjustment: Nothing of the kind.
    """
    one = _one(axis, shape)
    channels = _extent(one, shape)
    kernel = keras == 2 and len(shape) in (3, 4) and one in (1, len(shape)) and fused is not False
    variables = [
        *_affine((channels,), scale, center, gamma_initializer, beta_initializer),
        _statistic("moving_mean", "running_mean", channels, moving_mean_initializer),
        _statistic("moving_variance", "running_var", channels, moving_variance_initializer),
    ]
    module = initialized(BatchNorm, channels, epsilon, 1 - momentum, scale, center, kernel, variables=variables)
    return Layer(shape, _on_channels(module, one, shape), variables=tuple(variables))


class InstanceNorm(_Affine, _InstanceNorm):
    """Instance normalisation of (N, C, *spatial).

    Args:
        channels: C.
        epsilon: Added to the variance.
        momentum: Torch's: the share of the new batch.
        scale: Whether there is a weight.
        center: Whether there is a bias.
        tracked: Whether running statistics are kept, and used outside of training.
    """

    momentum: float

    def __init__(
        self, channels: int, epsilon: float, momentum: float, scale: bool, center: bool, tracked: bool
    ) -> None:
        super().__init__(channels, epsilon, momentum, scale or center, tracked)
        if scale or center:
            self._keep(weight=scale, bias=center)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises every channel of every sample over its places."""
        by_input = self.training or not self.track_running_stats
        return torch.instance_norm(
            x, self.weight, self.bias, self.running_mean, self.running_var, by_input, self.momentum, self.eps,
            torch.backends.cudnn.enabled,
        )  # fmt: skip

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Every rank will do; torch asks this of its subclasses."""


@component("InstanceNormalization")
def instance_normalization(
    shape: Shape,
    *,
    affine: bool = False,
    track_running_stats: bool = False,
    momentum: Fraction = 0.1,
    epsilon: NonNegative = 1e-5,
    axis: int | list[int] = -1,
    groups: int | None = None,
    center: bool | None = None,
    scale: bool | None = None,
    gamma_initializer: str | dict[str, Any] | None = None,
    beta_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Mean 0 and variance 1 of every channel of every sample, over its places.

    No layer of Keras: the first keys are torch's, the others those of TensorFlow Addons.

    Args:
        shape: Keras shape of the input.
        affine: Whether every channel has a factor and a summand that are learnt.
        track_running_stats: Whether running statistics are kept, and used outside of training.
        momentum: Share of the new batch in them.
        epsilon: Added to the variance.
        axis: Keras axis of the channels.
        groups: -1, or the number of channels; `GroupNormalization` has others.
        center: Whether there are summands; as `affine` says if not given.
        scale: Whether there are factors; as `affine` says if not given.
        gamma_initializer: Initial factors; 1 if not given.
        beta_initializer: Initial summands; 0 if not given.
    """
    one = _one(axis, shape)
    channels = _extent(one, shape)
    if len(shape) < 2:
        raise NetworkError(f"needs places to normalise over, got an input of {size(shape)}; use `LayerNormalization`")
    if groups not in (None, -1, channels):
        raise NetworkError(f"groups {groups} is not the number of channels, {channels}; use `GroupNormalization`")
    scale, center = affine if scale is None else scale, affine if center is None else center
    variables = _affine((channels,), scale, center, gamma_initializer, beta_initializer)
    if track_running_stats:
        variables += [
            _statistic("moving_mean", "running_mean", channels),
            _statistic("moving_variance", "running_var", channels),
        ]
    arguments = (channels, epsilon, momentum, scale, center, track_running_stats)
    module = initialized(InstanceNorm, *arguments, variables=variables)
    return Layer(shape, _on_channels(module, one, shape), variables=tuple(variables))


class GroupNorm(_Affine, nn.GroupNorm):
    """Group normalisation of (N, C, *spatial).

    Args:
        groups: Into how many groups of neighbours the channels are split.
        channels: C.
        epsilon: Added to the variance.
        scale: Whether there is a weight.
        center: Whether there is a bias.
    """

    def __init__(self, groups: int, channels: int, epsilon: float, scale: bool, center: bool) -> None:
        super().__init__(groups, channels, epsilon, affine=scale or center)
        self._keep(weight=scale, bias=center)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises every group of every sample; groups of one value, which torch's module refuses, become 0."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


@component("GroupNormalization")
def group_normalization(
    shape: Shape,
    *,
    groups: int = 32,
    axis: int = -1,
    epsilon: NonNegative = 1e-3,
    center: bool = True,
    scale: bool = True,
    gamma_initializer: str | dict[str, Any] | None = None,
    beta_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Mean 0 and variance 1 of groups of channels of every sample.

    Args:
        shape: Keras shape of the input.
        groups: Into how many groups of neighbours the channels are split; -1 for one each.
        axis: Keras axis of the channels.
        epsilon: Added to the variance.
        center: Whether one number per channel is added.
        scale: Whether one number per channel multiplies.
        gamma_initializer: Initial factors; 1 if not given.
        beta_initializer: Initial summands; 0 if not given.
    """
    one = _one(axis, shape)
    channels = _extent(one, shape)
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        raise NetworkError(
            f"groups {groups} does not divide the channels of its input, {channels}; change `groups` to a divisor"
        )
    variables = _affine((channels,), scale, center, gamma_initializer, beta_initializer)
    module = initialized(GroupNorm, groups, channels, epsilon, scale, center, variables=variables)
    return Layer(shape, _on_channels(module, one, shape), variables=tuple(variables))


class LayerNorm(_Affine, nn.LayerNorm):
    """Layer normalisation over the last axes.

    Args:
        extents: Their extents.
        epsilon: Added to the variance.
        scale: Whether there is a weight.
        center: Whether there is a bias.
    """

    def __init__(self, extents: Sequence[int], epsilon: float, scale: bool, center: bool) -> None:
        super().__init__(list(extents), epsilon, elementwise_affine=scale or center)
        self._keep(weight=scale, bias=center)


class DeviationNorm(_Affine):
    """Division by the standard deviation over the last axes; what Keras 3 calls `rms_scaling`.

    Args:
        extents: Their extents.
        epsilon: Added to the variance.
    """

    weight: nn.Parameter

    def __init__(self, extents: Sequence[int], epsilon: float) -> None:
        super().__init__()
        self.eps = epsilon
        self.dims = tuple(range(-len(extents), 0))
        self.weight = nn.Parameter(torch.empty(list(extents)))

    def forward(self, x: Tensor) -> Tensor:
        """Divides, and scales."""
        variance = torch.var(x, self.dims, correction=0, keepdim=True)
        return x * torch.rsqrt(variance + self.eps) * self.weight


@component("LayerNormalization")
def layer_normalization(
    shape: Shape,
    keras: int,
    *,
    axis: int | list[int] = -1,
    epsilon: NonNegative = 1e-3,
    center: bool = True,
    scale: bool = True,
    rms_scaling: bool = False,
    gamma_initializer: str | dict[str, Any] | None = None,
    beta_initializer: str | dict[str, Any] | None = None,
) -> Layer:
    """Mean 0 and variance 1 of every sample over some of its axes.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras; the first ones keep weights in the order of `axis`.
        axis: Keras axis, or axes, over which a sample is normalised; -1 are the channels.
        epsilon: Added to the variance.
        center: Whether one number per element of these axes is added.
        scale: Whether one number per element of these axes multiplies.
        rms_scaling: Whether it only divides by the standard deviation and scales, whatever `center` and `scale` say.
        gamma_initializer: Initial factors; 1 if not given.
        beta_initializer: Initial summands; 0 if not given.
    """
    scale, center = scale or rms_scaling, center and not rms_scaling
    axes = _several(axis, shape)
    if not (scale or center) and any(shape[one - 1] is None for one in axes):
        dims = [dimension(one, shape) for one in axes]
        return Layer(shape, (partial(standardized, dims=dims, epsilon=epsilon),))
    before, after, extents, order = _trailing(axes, shape)
    listed = [_extent(one, shape) for one in (axes if keras == 2 else sorted(axes))]
    variables = _affine(tuple(listed), scale, center, gamma_initializer, beta_initializer, order)
    kind, parts = (DeviationNorm, ()) if rms_scaling else (LayerNorm, (scale, center))
    module = initialized(kind, extents, epsilon, *parts, variables=variables)
    return Layer(shape, (*before, module, *after), variables=tuple(variables))


def standardized(x: Tensor, dims: list[int], epsilon: float) -> Tensor:
    """Mean 0 and variance 1 over some dimensions."""
    variance, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + epsilon)


@component("RMSNormalization")
def rms_normalization(shape: Shape, *, axis: int | list[int] = -1, epsilon: NonNegative = 1e-6) -> Layer:
    """Division of every sample by its root mean square over some of its axes, and a factor for each of their elements.

    Args:
        shape: Keras shape of the input.
        axis: Keras axis, or axes; -1 are the channels.
        epsilon: Added to the mean square.
    """
    before, after, extents, order = _trailing(sorted(_several(axis, shape)), shape)
    listed = [_extent(one, shape) for one in sorted(_several(axis, shape))]
    variable = Variable("scale", "weight", tuple(listed), order)
    module = initialized(nn.RMSNorm, extents, epsilon, variables=[variable])
    return Layer(shape, (*before, module, *after), variables=(variable,))


@component("UnitNormalization")
def unit_normalization(shape: Shape, keras: int, *, axis: int | list[int] = -1) -> Layer:
    """Vectors of length 1.

    Args:
        shape: Keras shape of the input.
        keras: The generation of Keras, which differ in the length below which a vector counts as 0.
        axis: Keras axis, or axes, of the vectors; -1 are the channels.
    """
    dims = [dimension(one, shape) for one in _several(axis, shape)]
    return Layer(shape, (partial(unit, dims=dims, shortest=1e-6 if keras == 2 else 1e-12),))


def unit(x: Tensor, dims: list[int], shortest: float) -> Tensor:
    """Vectors over some dimensions, divided by their lengths."""
    length: Tensor = torch.linalg.vector_norm(x, dim=dims, keepdim=True)
    return x / length.clamp_min(shortest)


def _affine(
    shape: tuple[int, ...],
    scale: bool,
    center: bool,
    gamma_initializer: str | dict[str, Any] | None,
    beta_initializer: str | dict[str, Any] | None,
    order: tuple[int, ...] = (),
) -> list[Variable]:
    """The factors and summands of a normalisation, if it has them."""
    gamma = Variable("gamma", "weight", shape, order, gamma_initializer)
    beta = Variable("beta", "bias", shape, order, beta_initializer)
    return [*([gamma] if scale else []), *([beta] if center else [])]


def _statistic(name: str, buffer: str, channels: int, initializer: str | dict[str, Any] | None = None) -> Variable:
    return Variable(name, buffer, (channels,), initializer=initializer, trainable=False)


def _several(axis: int | list[int], shape: Shape) -> list[int]:
    """Keras axes, counted from the batch, 0."""
    listed = [axis] if isinstance(axis, int) else axis
    dims = {dimension(one, shape) for one in listed}
    if not listed or len(dims) < len(listed):
        raise NetworkError(f"axis {listed} must name every axis once, and at least one; change `axis`")
    return [one % (len(shape) + 1) for one in listed]


def _one(axis: int | list[int], shape: Shape) -> int:
    """The one Keras axis, counted from the batch, 0."""
    first, *others = _several(axis, shape)
    if others:
        raise NetworkError(f"axis {axis} must be one axis; normalise over several with `LayerNormalization`")
    return first


def _extent(axis: int, shape: Shape) -> int:
    extent = shape[axis - 1]
    if extent is None:
        raise NetworkError(
            f"axis {axis} of its input of {size(shape)} has no fixed extent; give the input a full `batch_input_shape`"
        )
    return extent


def _on_channels(module: nn.Module, axis: int, shape: Shape) -> tuple[Step, ...]:
    """The steps of a module for (N, C, *spatial) whose C is a Keras axis."""
    dim = dimension(axis, shape)
    if dim == CHANNELS:
        return (module,)
    move = partial(torch.movedim, source=dim, destination=CHANNELS)
    return (move, module, partial(torch.movedim, source=CHANNELS, destination=dim))


def _trailing(
    axes: Sequence[int], shape: Shape
) -> tuple[tuple[Step, ...], tuple[Step, ...], list[int], tuple[int, ...]]:
    """What brings Keras axes to a tensor's end and back, their extents there, and the order that weights have there."""
    ascending = sorted(axes)
    dims = [dimension(one, shape) for one in ascending]
    extents = [_extent(one, shape) for one in ascending]
    ends = list(range(len(shape) + 1 - len(axes), len(shape) + 1))
    if sorted(dims) == ends and list(axes) == ascending:
        order = tuple(sorted(range(len(dims)), key=dims.__getitem__))
        return (), (), [extents[index] for index in order], order
    if ascending == [len(shape)]:
        return channels_last(shape), channels_first(shape), extents, ()
    there = partial(torch.movedim, source=dims, destination=ends)
    return (there,), (partial(torch.movedim, source=ends, destination=dims),), extents, ()
