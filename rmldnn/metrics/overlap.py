"""What follows from how often each class was taken for each other one: precision, recall, F1, IoU, Dice.

All pool the places and samples of the whole set before they divide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.metrics.extra import torchmetrics
from rmldnn.metrics.measure import by_class
from rmldnn.metrics.reading import IGNORED, Reading

Ratio = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From true positives, false positives and false negatives to numerator and denominator."""


@dataclass(frozen=True)
class Confusion:
    """Counts what was taken for what, by torchmetrics.

    The sums are of shape (classes, classes), rows being the true classes; or, of several yes or no, (labels, 2, 2).
    """

    reading: Reading

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """The matrix, or one matrix for each label."""
        labels = self.reading.has_labels(output, target)
        truth = self.reading.truth(output, target, "the confusion matrix")
        said, channels = self.reading.decision(output, labels), output.shape[1]
        count = torchmetrics().functional.classification
        if labels:
            matrix = count.multilabel_confusion_matrix(said, truth, channels, ignore_index=IGNORED, validate_args=False)
        else:
            matrix = count.multiclass_confusion_matrix(said, truth, channels, ignore_index=IGNORED, validate_args=False)
        return matrix.double()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Overlap:
    """A ratio of counts, for each class and averaged.

    Args:
        title: Name of the metric.
        reading: What outputs and targets mean.
        average: How classes are averaged.
        include_background: Whether class 0 counts in the average.
        ratio: The ratio.
    """

    title: str
    reading: Reading
    average: str
    include_background: bool
    ratio: Ratio

    @property
    def name(self) -> str:
        """Name of the average, which tells unusual ones."""
        return self.title if self.average == "macro" else f"{self.title}_{self.average}"

    @property
    def counter(self) -> Confusion:
        """The same for all of them."""
        return Confusion(self.reading)

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """The average, and the value of each class or label."""
        hits, false, missed = _outcomes(sums)
        upper, lower = self.ratio(hits, false, missed)
        occurs = hits + false + missed > 0
        values = torch.where(occurs, upper / lower.clamp_min(1), torch.nan)
        first = 0 if self.include_background or sums.ndim == 3 else 1
        if self.average == "micro":
            mean = upper[first:].sum() / lower[first:].sum()
        else:
            weight = hits + missed if self.average == "weighted" else occurs.double()
            mean = (values.nan_to_num() * weight)[first:].sum() / weight[first:].sum()
        return by_class(self.name, mean, values, [self.reading.name(index) for index in range(len(values))])


def _outcomes(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, false positives and false negatives of each class or label."""
    if sums.ndim == 3:
        return sums[:, 1, 1], sums[:, 0, 1], sums[:, 1, 0]
    hits = sums.diagonal()
    return hits, sums.sum(0) - hits, sums.sum(1) - hits


@component("Precision")
def precision(
    reading: Reading, *, average: Literal["macro", "micro", "weighted"] = "macro", include_background: bool = True
) -> Overlap:
    """The part of what was taken for a class that is of that class.

    Args:
        reading: What outputs and targets mean.
        average: `macro` is the mean over classes that occur in targets or outputs, `weighted` weighs them by how often
            they occur in targets, `micro` adds the counts of all classes before dividing.
        include_background: Whether class 0 counts in the average; yes-or-no outputs have no background.
    """
    return _overlap("Precision", reading, average, include_background, lambda tp, fp, _: (tp, tp + fp))


@component("Recall")
def recall(
    reading: Reading, *, average: Literal["macro", "micro", "weighted"] = "macro", include_background: bool = True
) -> Overlap:
    """The part of a class that was taken for it.

    Args:
        reading: What outputs and targets mean.
        average: `macro` is the mean over classes that occur in targets or outputs, `weighted` weighs them by how often
            they occur in targets, `micro` adds the counts of all classes before dividing.
        include_background: Whether class 0 counts in the average; yes-or-no outputs have no background.
    """
    return _overlap("Recall", reading, average, include_background, lambda tp, _, fn: (tp, tp + fn))


@component("F1")
def f1(
    reading: Reading, *, average: Literal["macro", "micro", "weighted"] = "macro", include_background: bool = True
) -> Overlap:
    """The harmonic mean of precision and recall.

    Args:
        reading: What outputs and targets mean.
        average: `macro` is the mean over classes that occur in targets or outputs, `weighted` weighs them by how often
            they occur in targets, `micro` adds the counts of all classes before dividing.
        include_background: Whether class 0 counts in the average; yes-or-no outputs have no background.
    """
    return _overlap("F1", reading, average, include_background, _dice)


@component("IoU", title="IoU (Intersection over Union)")
def iou(
    reading: Reading, *, average: Literal["macro", "micro", "weighted"] = "macro", include_background: bool = True
) -> Overlap:
    """Places where output and target agree on a class, divided by those where at least one of them says it.

    Args:
        reading: What outputs and targets mean.
        average: `macro` is the mean over classes that occur in targets or outputs, `weighted` weighs them by how often
            they occur in targets, `micro` adds the counts of all classes before dividing.
        include_background: Whether class 0 counts in the average; yes-or-no outputs have no background.
    """
    return _overlap("IoU", reading, average, include_background, lambda tp, fp, fn: (tp, tp + fp + fn))


@component("Dice", title="Dice coefficient")
def dice(
    reading: Reading, *, average: Literal["macro", "micro", "weighted"] = "macro", include_background: bool = True
) -> Overlap:
    """Twice the agreement on a class, divided by the sizes of both; the same number as F1.

    All samples are pooled, unlike in the accuracy of a segmentation, which averages the coefficients of samples.

    Args:
        reading: What outputs and targets mean.
        average: `macro` is the mean over classes that occur in targets or outputs, `weighted` weighs them by how often
            they occur in targets, `micro` adds the counts of all classes before dividing.
        include_background: Whether class 0 counts in the average; yes-or-no outputs have no background.
    """
    return _overlap("Dice", reading, average, include_background, _dice)


def _dice(hits: Tensor, false: Tensor, missed: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * hits, 2 * hits + false + missed


def _overlap(title: str, reading: Reading, average: str, include_background: bool, ratio: Ratio) -> Overlap:
    torchmetrics()  # if it is missing, say so now and not after the first epoch
    return Overlap(title, reading, average, include_background, ratio)


@dataclass(frozen=True)
class Matrix:
    """The counts themselves."""

    reading: Reading
    name: str = "ConfusionMatrix"

    @property
    def counter(self) -> Confusion:
        """The same as for the ratios."""
        return Confusion(self.reading)

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """One array."""
        return {self.name: sums[0] if sums.shape == (1, 2, 2) else sums}


@component("ConfusionMatrix", title="Confusion matrix")
def confusion_matrix(reading: Reading) -> Matrix:
    """How often each class (row) was taken for each class (column); for several labels one such matrix each.

    Args:
        reading: What outputs and targets mean.
    """
    torchmetrics()
    return Matrix(reading)
