"""Preparation of data as the first layers of a network: constants that scale, and statistics of the data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rmldnn.component import component, show
from rmldnn.errors import NetworkError
from rmldnn.networks.initializers import initialized
from rmldnn.networks.layer import Layer, Shape, Step
from rmldnn.networks.layout import dimension, size, tensor_shape
from rmldnn.networks.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

EPSILON = 1e-7
"""What Keras divides by at least."""


class Constants(nn.Module):
    """A module with numbers that a file gives, no weights; in every precision they are rounded from 64 bits.

    Args:
        values: Their names and values, in 64 bits, ready to be broadcast.
    """

    def __init__(self, **values: Tensor) -> None:
        super().__init__()
        self._values = values
        for name, value in values.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What all conversions to another precision or device go through."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, value in self._values.items():
            buffer: Tensor = getattr(self, name)
            setattr(self, name, value.to(buffer.device, buffer.dtype))
        return self


class Rescale(Constants):
    """`scale * x + offset`."""

    scale: Tensor
    offset: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Scales."""
        return torch.addcmul(self.offset, x, self.scale)


class Standardize(Constants):
    """`(x - mean) / deviation`."""

    mean: Tensor
    deviation: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Standardizes."""
        return (x - self.mean) / self.deviation


@component("Rescaling")
def rescaling(shape: Shape, *, scale: float | list[Any], offset: float | list[Any] = 0.0) -> Layer:
    """Another unit: `scale * x + offset`.

    Args:
        shape: Keras shape of the input.
        scale: A number, or one for each channel.
        offset: A number, or one for each channel.
    """
    if isinstance(scale, list) or isinstance(offset, list):
        given = {"scale": scale, "offset": offset}
        return Layer(shape, (Rescale(**{key: _broadcast(value, shape, key) for key, value in given.items()}),))
    steps: list[Step] = [partial(torch.mul, other=scale)] if scale != 1 else []
    if offset != 0:
        steps.append(partial(torch.add, other=offset))
    return Layer(shape, tuple(steps))


def _broadcast(value: float | list[Any], shape: Shape, key: str) -> Tensor:
    """Numbers along Keras' last axes, as a tensor that is broadcast to (N, C, *spatial)."""
    try:
        tensor = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError):
        raise NetworkError(f"`{key}` must be a number or lists of numbers of one length, got {show(value)}") from None
    extents = [1] * (len(shape) - tensor.dim()) + list(tensor.shape)
    if len(extents) > len(shape) or any(
        extent not in (1, other) for extent, other in zip(extents, shape, strict=True) if other is not None
    ):
        raise NetworkError(
            f"`{key}` of {size(tuple(tensor.shape))} does not fit its input of {size(shape)}; "
            "give one number, or one for each channel"
        )
    return tensor.reshape(extents).movedim(-1, 0)


class Normalization(nn.Module):
    """`(x - mean) / sqrt(variance)` by statistics that come from a weight file.

    Args:
        extents: Shape of the statistics, ready to be broadcast to (C, *spatial).
        invert: Whether it goes back from standardized values.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, extents: tuple[int, ...], invert: bool) -> None:
        super().__init__()
        self.invert = invert
        self.register_buffer("mean", torch.zeros(extents))
        self.register_buffer("variance", torch.ones(extents))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Standardizes, or goes back."""
        deviation = torch.sqrt(self.variance).clamp_min(EPSILON)
        return torch.addcmul(self.mean, x, deviation) if self.invert else (x - self.mean) / deviation


@component("Normalization")
def normalization(
    shape: Shape,
    *,
    axis: int | list[int] | None = -1,
    mean: float | list[Any] | None = None,
    variance: float | list[Any] | None = None,
    invert: bool = False,
) -> Layer:
    """Mean 0 and variance 1 by statistics of the data.

    Args:
        shape: Keras shape of the input.
        axis: Keras axis, or axes, whose elements have statistics of their own; none if null.
        mean: The means, one or as many as these axes have elements; part of the weights if not given.
        variance: The variances, likewise.
        invert: Whether it goes back from such values.
    """
    listed = [axis] if isinstance(axis, int) else axis or []
    dims = {dimension(one, shape) for one in listed}
    kept = [one for one in range(1, len(shape) + 1) if dimension(one, shape) in dims]
    extents = [shape[one - 1] if one in kept else 1 for one in range(1, len(shape) + 1)]
    fixed = tuple(extent for extent in extents if extent is not None)
    if len(fixed) < len(extents):
        raise NetworkError(
            f"axis {show(axis)} of its input of {size(shape)} has no fixed extent; "
            "give the input a full `batch_input_shape`"
        )
    if (mean is None) != (variance is None):
        raise NetworkError("`mean` and `variance` belong together; give both or none")
    if mean is not None and variance is not None:
        middle = _along(mean, kept, fixed, "mean")
        deviation = _along(variance, kept, fixed, "variance").sqrt().clamp_min(EPSILON)
        if invert:
            return Layer(shape, (Rescale(scale=deviation, offset=middle),))
        return Layer(shape, (Standardize(mean=middle, deviation=deviation),))
    own = tuple(fixed[one - 1] for one in kept)
    order = tuple(sorted(range(len(kept)), key=lambda index: dimension(kept[index], shape)))
    variables = (
        Variable("mean", "mean", own, order, trainable=False),
        Variable("variance", "variance", own, order, trainable=False),
        Variable("count", "count", (), trainable=False),
    )
    module = initialized(Normalization, tensor_shape(fixed), invert, variables=variables)
    return Layer(shape, (module,), variables=variables)


def _along(value: float | list[Any], kept: list[int], extents: tuple[int, ...], key: str) -> Tensor:
    """Numbers along the axes that are kept, as a tensor that is broadcast to (N, C, *spatial)."""
    try:
        tensor = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError):
        raise NetworkError(f"`{key}` must be a number or lists of numbers of one length, got {show(value)}") from None
    own = [extents[one - 1] for one in kept]
    if tensor.numel() == 1:
        tensor = tensor.reshape(())
    try:
        return tensor.expand(own).reshape(extents).movedim(-1, 0)
    except RuntimeError:
        raise NetworkError(
            f"`{key}` of {size(tuple(tensor.shape))} does not fit the axes of {size(tuple(own))} that `axis` keeps; "
            "give one number, or one for each of their elements"
        ) from None
