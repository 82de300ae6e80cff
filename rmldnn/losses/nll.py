"""Negative log-likelihood of classes."""

from __future__ import annotations

import functools
import re

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, ratio
from rmldnn.losses.target import check_range, class_indices, out_of_range
from rmldnn.types import NonNegative, Total


@component("NLL", title="NLL (Negative Log-Likelihood)")
def nll(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """The weighted mean of minus the log-probability that the network gives to the right class.

    Args:
        output: Log-probabilities, shape (n, classes, *spatial); the network ends in `log_softmax`.
        target: Class indices, shape (n, *spatial) or (n, 1, *spatial); or floats of the output's shape for several
            classes: their probabilities, as `mixup` and `cutmix` make them. The loss is then the mean of
            -sum(probability * weight * log-probability) over samples and places, whose weights do not divide it: the
            cross entropy of torch.
        total: Sums a tensor over all processes.
        weight: One weight for each class, not all of them 0; all alike if absent.
        ignore_index: Class index that counts for nothing. A batch of nothing but that and classes of weight 0 has the
            loss 0.

    Raises:
        ConfigError: Target and output do not fit, `ignore_index` meets probabilities, or `weight` has
            another length than there are classes, or only zeros.
    """
    classes = output.shape[1]
    if target.is_floating_point() and target.shape == output.shape and classes > 1:
        if ignore_index is not None:
            raise ConfigError(Problem("loss.ignore_index", _IGNORED))
        return _of_probabilities(output, target, total, weight)
    target = class_indices(output, target, "NLL")
    if output.is_cuda and not target.is_cuda:
        check_range(target, classes, "NLL", ignore_index)
        target = target.to(output.device, non_blocking=True)
    weights = None if weight is None else _weights(tuple(weight), classes, output.dtype, output.device)
    ignored = -100 if ignore_index is None else ignore_index
    certain = ignore_index is None and (weight is None or min(weight) >= torch.finfo(output.dtype).tiny)
    fused = total is alone and certain  # torch's own mean is nan where nothing counts
    try:
        loss = F.nll_loss(output, target, weights, ignore_index=ignored, reduction="mean" if fused else "sum")
    except IndexError as error:  # torch's kernel looks at every index anyway, so the check costs nothing
        index = re.search(r"-?\d+", str(error))
        raise out_of_range(int(index.group()) if index else -1, classes, "NLL") from None
    if fused:
        return loss
    if weights is None and ignore_index is None:
        return ratio(loss, target.numel(), total)
    counted = target != ignored
    mass = counted.to(output.dtype) if weights is None else weights[target.where(counted, 0)] * counted
    sums = total(torch.stack([loss, mass.sum()]))
    return sums[0] / sums[1].where(sums[1] > 0, 1)  # type: ignore[no-any-return]


_IGNORED = (
    "has no meaning where targets are probabilities of classes, as `mixup` and `cutmix` make them of labels; remove "
    "it, or give that class the weight 0 by `loss.weight`"
)


def _of_probabilities(output: Tensor, target: Tensor, total: Total, weight: list[NonNegative] | None) -> Tensor:
    classes = output.shape[1]
    if weight is not None:
        weights = _weights(tuple(weight), classes, output.dtype, output.device)
        output = output * weights.view(-1, *[1] * (output.ndim - 2))
    loss = -(output * target.to(output, non_blocking=True)).sum()
    return ratio(loss, target.numel() / classes, total)


@functools.lru_cache(maxsize=8)
def _weights(weight: tuple[float, ...], classes: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The weights on the device, moved there once and not at every step."""
    if len(weight) != classes:
        raise ConfigError(
            Problem(
                "loss.weight",
                f"has {len(weight)} number{'s' if len(weight) != 1 else ''}, but the network has {classes} outputs; "
                "give one weight for each class",
            )
        )
    with torch.inference_mode(False):  # the cache outlives the evaluation that may have filled it
        weights = torch.tensor(weight, dtype=dtype)
        if not weights.any():
            raise ConfigError(Problem("loss.weight", "has only zeros; give a class that counts a weight above 0"))
        return weights.to(device)
