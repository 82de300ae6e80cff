"""Losses of segmentation that compare sets: how much of what is predicted and what is there they have in common.

With p the probabilities and t the target, sums run over all places of all samples of the global batch, one for each
class: `common` is the sum of p t, `predicted` that of p, `present` that of t. The loss is 1 minus the mean of the
classes' scores. A network of one output has one class, the foreground.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.reduction import alone
from rmldnn.losses.source import probabilities
from rmldnn.losses.target import sets
from rmldnn.losses.weights import class_weights
from rmldnn.types import NonNegative, Positive, Source, Total


@component("Dice", title="Dice score")
def dice(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    source: Source | None = None,
    eps: Positive = 1e-7,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """1 minus the mean over classes of (2 common + eps) / (predicted + present + eps), over the whole batch.

    The coefficient of Dice, "Measures of the amount of ecologic association between species" (1945), of soft sets.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: Class indices (n, *spatial) or (n, 1, *spatial), 0 and 1 for a network of one output; or of the output's
            shape: how much each place belongs to each class, from 0 to 1.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in, the network's own if absent: `softmax` and `sigmoid` give
            probabilities, `log_softmax` their logarithms, `linear` and `none` scores of classes that exclude each
            other, or one score of the foreground.
        eps: What keeps the score of a class defined that is neither there nor predicted; it is 1 then.
        weight: One weight for each class in the mean of the scores, not all of them 0; all alike if absent.
        ignore_index: Class index of places that count for nothing; if it is that of an output, that class has no score.

    Raises:
        ConfigError: Target and output do not fit, or `weight` has another length than there are classes, or only zeros.
    """

    def score(common: Tensor, predicted: Tensor, present: Tensor) -> Tensor:
        return (2 * common + eps) / (predicted + present + eps)

    return _overlap(score, output, target, total, "Dice", source, weight, ignore_index)


@component("Jaccard", title="Jaccard (Intersection over Union)")
def jaccard(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    source: Source | None = None,
    eps: Positive = 1e-7,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """1 minus the mean over classes of (common + eps) / (predicted + present - common + eps), over the whole batch.

    The index of Jaccard, "The distribution of the flora in the alpine zone" (1912), of soft sets.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: As Dice takes it.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in, the network's own if absent: `softmax` and `sigmoid` give
            probabilities, `log_softmax` their logarithms, `linear` and `none` scores of classes that exclude each
            other, or one score of the foreground.
        eps: What keeps the score of a class defined that is neither there nor predicted; it is 1 then.
        weight: One weight for each class in the mean of the scores, not all of them 0; all alike if absent.
        ignore_index: Class index of places that count for nothing; if it is that of an output, that class has no score.

    Raises:
        ConfigError: As for Dice.
    """

    def score(common: Tensor, predicted: Tensor, present: Tensor) -> Tensor:
        return (common + eps) / (predicted + present - common + eps)

    return _overlap(score, output, target, total, "Jaccard", source, weight, ignore_index)


@component("Tversky")
def tversky(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    source: Source | None = None,
    eps: Positive = 1e-7,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """1 minus the mean over classes of (common + eps) / (common + alpha false + beta missed + eps).

    `false` is what is predicted and not there, `missed` what is there and not predicted: Salehi et al., "Tversky loss
    function for image segmentation using 3D fully convolutional deep networks" (2017), and its defaults, for which a
    missed place is worse. With 0.5 and 0.5 it is Dice, with 1 and 1 Jaccard.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: As Dice takes it.
        total: Sums a tensor over all processes.
        alpha: How much a place counts that is predicted and not there.
        beta: How much a place counts that is there and not predicted.
        source: Activation that the network ends in, the network's own if absent: `softmax` and `sigmoid` give
            probabilities, `log_softmax` their logarithms, `linear` and `none` scores of classes that exclude each
            other, or one score of the foreground.
        eps: What keeps the score of a class defined that is neither there nor predicted; it is 1 then.
        weight: One weight for each class in the mean of the scores, not all of them 0; all alike if absent.
        ignore_index: Class index of places that count for nothing; if it is that of an output, that class has no score.

    Raises:
        ConfigError: As for Dice.
    """

    def score(common: Tensor, predicted: Tensor, present: Tensor) -> Tensor:
        return (common + eps) / (common + alpha * (predicted - common) + beta * (present - common) + eps)

    return _overlap(score, output, target, total, "Tversky", source, weight, ignore_index)


def _overlap(
    score: Callable[[Tensor, Tensor, Tensor], Tensor],
    output: Tensor,
    target: Tensor,
    total: Total,
    loss: str,
    source: Source | None,
    weight: list[float] | None,
    ignore_index: int | None,
) -> Tensor:
    predicted = probabilities(output, source)
    present, counted = sets(predicted, target, loss, ignore_index)
    if counted is not None:
        predicted = predicted.where(counted, 0)
    common = predicted.where(present, 0) if present.dtype is torch.bool else predicted * present
    axes = (0, *range(2, output.ndim))
    sums = [part.sum(axes).to(predicted.dtype) for part in (common, predicted, present)]
    scores = score(*total(torch.stack(sums)))
    classes = output.shape[1]
    if classes > 1 and ignore_index in range(classes):
        weight = [0 if index == ignore_index else value for index, value in enumerate(weight or [1] * classes)]
    if weight is None:
        return 1 - scores.mean()
    weights = class_weights(weight, predicted)
    return 1 - (scores * weights).sum() / weights.sum()
