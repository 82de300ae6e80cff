"""Negative log-likelihood of classes."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.reduction import alone, ratio
from rmldnn.losses.source import log_probabilities
from rmldnn.losses.target import (
    check_range,
    class_indices,
    indices_on_device,
    is_dense,
    moved,
    no_class_to_ignore,
    out_of_range,
)
from rmldnn.losses.weights import by_channel, class_weights, masses
from rmldnn.types import NonNegative, Source, Total


@component("NLL", title="NLL (Negative Log-Likelihood)")
def nll(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
    source: Source | None = None,
) -> Tensor:
    """The weighted mean of minus the log-probability that the network gives to the right class.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: Class indices, shape (n, *spatial) or (n, 1, *spatial); or floats of the output's shape for several
            classes: their probabilities, as `mixup` and `cutmix` make them. The loss is then the mean of
            -sum(probability * weight * log-probability) over samples and places, whose weights do not divide it: the
            cross entropy of torch.
        total: Sums a tensor over all processes.
        weight: One weight for each class, not all of them 0; all alike if absent.
        ignore_index: Class index that counts for nothing. A batch of nothing but that and classes of weight 0 has the
            loss 0.
        source: Activation that the network ends in, the network's own if absent: `log_softmax` gives what the loss
            needs; of probabilities (`softmax`) the logarithm is taken, of scores (`linear`, `none`) the log-softmax.

    Raises:
        ConfigError: Target and output do not fit, `ignore_index` meets probabilities, `source` is `sigmoid`, or
            `weight` has another length than there are classes, or only zeros.
    """
    logarithms = log_probabilities(output, source or "log_softmax", "NLL")
    return likelihood(logarithms, target, total, "NLL", weight, ignore_index)


def likelihood(
    output: Tensor,
    target: Tensor,
    total: Total,
    loss: str,
    weight: list[float] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """The loss from log-probabilities, float32 or wider; `loss` is its name in messages, the rest as in `nll`."""
    classes = output.shape[1]
    if is_dense(output, target):
        if ignore_index is not None:
            raise no_class_to_ignore()
        return of_probabilities(output, target, total, weight)
    if torch.are_deterministic_algorithms_enabled():  # GPUs know no such form of torch's loss of maps
        return _gathered(output, indices_on_device(output, target, loss, ignore_index), total, weight, ignore_index)
    target = class_indices(output, target, loss)
    if target.device != output.device:
        check_range(target, classes, loss, ignore_index)
        target = moved(target, output.device)
    weights = None if weight is None else class_weights(weight, output)
    ignored = -100 if ignore_index is None else ignore_index
    certain = ignore_index is None and (weight is None or min(weight) >= torch.finfo(output.dtype).tiny)
    fused = total is alone and certain and target.numel()  # torch's own mean is nan where nothing counts
    try:
        value = F.nll_loss(output, target, weights, ignore_index=ignored, reduction="mean" if fused else "sum")
    except IndexError as error:  # torch's kernel looks at every index anyway, so the check costs nothing
        index = re.search(r"-?\d+", str(error))
        raise out_of_range(int(index.group()) if index else -1, classes, loss, target) from None
    if fused:
        return value
    if weight is None and ignore_index is None:
        return ratio(value, target.numel(), total)
    return ratio(value, masses(output, target, weight, ignore_index).sum(), total)


def _gathered(
    output: Tensor, indices: Tensor, total: Total, weight: list[float] | None, ignore_index: int | None
) -> Tensor:
    mass = masses(output, indices, weight, ignore_index)
    if ignore_index is not None:
        indices = indices.where(indices != ignore_index, 0)
    right = output.gather(1, indices.unsqueeze(1)).squeeze(1)
    return ratio(-(right * mass).sum(), mass.sum(), total)


def of_probabilities(output: Tensor, target: Tensor, total: Total, weight: list[float] | None) -> Tensor:
    """The loss for probabilities of classes in place of one that is right; arguments as in `likelihood`."""
    if weight is not None:
        output = output * by_channel(class_weights(weight, output), output)
    loss = -(output * moved(target, output.device).to(output)).sum()
    return ratio(loss, target.numel() / output.shape[1], total)
