"""Focal loss: cross-entropy to which what is right already matters little."""

from __future__ import annotations

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.nll import of_probabilities
from rmldnn.losses.reduction import alone, ratio
from rmldnn.losses.source import log_complement, log_probabilities, log_yes_and_no
from rmldnn.losses.target import indices_on_device, is_dense, no_class_to_ignore, sets
from rmldnn.losses.weights import by_channel, class_weights, masses
from rmldnn.types import Fraction, NonNegative, Source, Total


@component("Focal")
def focal(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    source: Source | None = None,
    gamma: NonNegative = 2.0,
    alpha: Fraction | None = None,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """The weighted mean of -(1 - p)^gamma log p, with p the probability that the network gives to what is right.

    Lin et al., "Focal loss for dense object detection" (2017). A network of one output, or that ends in `sigmoid`,
    answers yes or no in each channel; otherwise one of its classes is right. With gamma 0 it is BCE or NLL.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Class indices (n, *spatial) or (n, 1, *spatial), 0 and 1 for a network of one output; or of the output's
            shape: probabilities of the channels.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in, the network's own if absent: `softmax` and `sigmoid` give
            probabilities, `log_softmax` their logarithms, `linear` and `none` scores of classes that exclude each
            other, or one score.
        gamma: How fast what is right loses its importance.
        alpha: Factor of each yes, where 1 - alpha is that of each no; without it, both count 1. Of yes-or-no outputs.
        weight: One weight for each channel in the mean, not all of them 0; all alike if absent.
        ignore_index: Class index of places that count for nothing.

    Raises:
        ConfigError: Target and output do not fit, `ignore_index` meets probabilities of several channels, or `weight`
            has another length than there are channels, or only zeros.
    """
    if output.shape[1] == 1 or source == "sigmoid":
        return _of_answers(output, target, total, source, gamma, alpha, weight, ignore_index)
    return _of_classes(output, target, total, source or "softmax", gamma, weight, ignore_index)


def _of_answers(
    output: Tensor,
    target: Tensor,
    total: Total,
    source: Source | None,
    gamma: float,
    alpha: float | None,
    weight: list[float] | None,
    ignore_index: int | None,
) -> Tensor:
    yes, no = log_yes_and_no(output, source)
    share, counted = sets(yes, target, "Focal", ignore_index)
    share = share.to(yes.dtype)
    loss_of_yes, loss_of_no = -torch.exp(gamma * no) * yes, -torch.exp(gamma * yes) * no
    if alpha is not None:
        loss_of_yes, loss_of_no = alpha * loss_of_yes, (1 - alpha) * loss_of_no
    loss = share * loss_of_yes + (1 - share) * loss_of_no
    mass = torch.ones_like(yes[:, :1]) if counted is None else counted.to(yes.dtype)
    mass = mass.expand_as(yes) if weight is None else mass * by_channel(class_weights(weight, yes), yes)
    return ratio((loss * mass).sum(), mass.sum(), total)


def _of_classes(
    output: Tensor,
    target: Tensor,
    total: Total,
    source: Source,
    gamma: float,
    weight: list[float] | None,
    ignore_index: int | None,
) -> Tensor:
    logarithms = log_probabilities(output, source, "Focal")
    if is_dense(output, target):
        if ignore_index is not None:
            raise no_class_to_ignore()
        return of_probabilities(_focused(logarithms, gamma), target, total, weight)
    indices = indices_on_device(output, target, "Focal", ignore_index)
    mass = masses(logarithms, indices, weight, ignore_index)
    if ignore_index is not None:
        indices = indices.where(indices != ignore_index, 0)
    right = logarithms.gather(1, indices.unsqueeze(1)).squeeze(1)
    return ratio(-(_focused(right, gamma) * mass).sum(), mass.sum(), total)


def _focused(logarithm: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma log p."""
    return torch.exp(gamma * log_complement(logarithm)) * logarithm
