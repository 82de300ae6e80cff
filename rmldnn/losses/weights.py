"""How much classes count."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from rmldnn.errors import ConfigError, Problem


def class_weights(weight: Sequence[float], output: Tensor, key: str = "weight") -> Tensor:
    """The weights in the output's type and on its device, moved there once and not at every step; shape (classes,).

    Args:
        weight: One weight for each class.
        output: Network output, shape (n, classes, *spatial).
        key: What the user calls it, for messages.

    Raises:
        ConfigError: There are more or fewer weights than classes, or only zeros.
    """
    return _moved(tuple(weight), output.shape[1], key, output.dtype, output.device)


@functools.lru_cache(maxsize=8)
def _moved(weight: tuple[float, ...], classes: int, key: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    if len(weight) != classes:
        raise ConfigError(
            Problem(
                f"loss.{key}",
                f"has {len(weight)} number{'s' if len(weight) != 1 else ''}, but the network has {classes} "
                f"output{'s' if classes != 1 else ''}; give one weight for each class",
            )
        )
    with torch.inference_mode(False):  # the cache outlives the evaluation that may have filled it
        weights = torch.tensor(weight, dtype=dtype)
        if not weights.any():
            raise ConfigError(Problem(f"loss.{key}", "has only zeros; give a class that counts a weight above 0"))
        return weights.to(device)


def by_channel(weights: Tensor, output: Tensor) -> Tensor:
    """Weights of shape (classes,) in the shape in which they multiply an output (n, classes, *spatial)."""
    return weights.view(-1, *[1] * (output.ndim - 2))


def masses(output: Tensor, indices: Tensor, weight: Sequence[float] | None, ignore_index: int | None) -> Tensor:
    """How much each place counts: the weight of its class, 0 where it is ignored.

    Args:
        output: Network output, shape (n, classes, *spatial).
        indices: Class indices on the output's device, shape (n, *spatial).
        weight: One weight for each class; all 1 if absent.
        ignore_index: Class index that counts for nothing.

    Returns:
        Shape (n, *spatial), type of the output.
    """
    counted = torch.ones_like(indices, dtype=torch.bool) if ignore_index is None else indices != ignore_index
    if weight is None:
        return counted.to(output.dtype)
    return class_weights(weight, output)[indices.where(counted, 0)] * counted
