"""What the log calls accuracy, kept as sums until the end so that no split into batches or processes changes it.

==========================================  =====================================================================
network output                              accuracy
==========================================  =====================================================================
(n, classes), class indices                 fraction of samples whose largest output is the right class
(n, 1)                                      the same for two classes, the output being the probability of class 1
(n, labels), dense target                   fraction of labels on the right side of one half
(n, classes, *spatial), class indices       Dice coefficient of the predicted classes, averaged over classes and samples
(n, 1, *spatial)                            the same for two classes, background and foreground
(n, channels, *spatial), dense target       Dice coefficient of each channel above one half, averaged likewise
==========================================  =====================================================================

A class that is neither in a sample's target nor in its prediction has the Dice coefficient 1. Where classes exclude
each other, a dense target is taken for the index of its largest class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rmldnn.losses.combined import Combined
from rmldnn.losses.target import moved


class Metric(Protocol):
    """A number about outputs and targets, computed from sums over samples.

    `sums` of two batches, or of two processes, add up to the sums of their union; `value` makes the number from them.
    torchmetrics' functional `update` and `compute` pairs have the same form.
    """

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """Additive sums of a batch, float64, of a shape that does not depend on the batch."""
        ...

    def value(self, sums: Tensor) -> Tensor:
        """The metric, from added sums."""
        ...


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a classification or a segmentation; the table above says which.

    Args:
        ignore_index: Class index in targets that counts for nothing.
        threshold: Output above which a yes-or-no output means yes: 0.5 for probabilities, 0 for logits, log 0.5 for
            log-probabilities.
        exclusive: Whether the channels of dense targets are classes that exclude each other.
    """

    ignore_index: int | None = None
    threshold: float = 0.5
    exclusive: bool = False

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """The sum of the accuracies of the samples, and their number; shape (2,), float64.

        Args:
            output: Network output, shape (n, channels, *spatial).
            target: As the loss takes it: class indices, or dense; may still lie on the host.
        """
        target = moved(target, output.device)
        channels = output.shape[1]
        if channels > 1 and target.shape == output.shape:
            if self.exclusive:
                return self.sums(output, target.float().argmax(1))
            return self._yes_or_no(output > self.threshold, target > 0.5)
        if target.ndim == output.ndim:
            target = target.squeeze(1)
        if channels == 1:
            predicted, classes = (output.squeeze(1) > self.threshold).long(), 2
            target = target > 0.5 if self.ignore_index is None else target
        else:
            predicted, classes = output.argmax(1), channels
        if target.is_floating_point():
            target = target.round()
        target = target.long()
        counted = torch.ones_like(target, dtype=torch.bool)
        if self.ignore_index is not None:
            counted = target != self.ignore_index
            target = target.where(counted, 0)
        right = (predicted == target) & counted
        if output.ndim == 2:
            return _pair(right, counted)

        def count(where: Tensor, what: Tensor) -> Tensor:
            empty = torch.zeros(len(what), classes, dtype=torch.float64, device=what.device)
            return empty.scatter_add_(1, what.flatten(1), where.flatten(1).double())

        return _dice(count(right, target), count(counted, predicted) + count(counted, target))

    def value(self, sums: Tensor) -> Tensor:
        """The accuracy in [0, 1]."""
        return sums[0] / sums[1].clamp_min(1)

    def _yes_or_no(self, predicted: Tensor, target: Tensor) -> Tensor:
        if predicted.ndim == 2:
            return _pair(predicted == target, torch.ones_like(target))

        def count(where: Tensor) -> Tensor:
            return where.flatten(2).sum(2, dtype=torch.float64)

        return _dice(count(predicted & target), count(predicted) + count(target))


def accuracy_for(loss: Callable[..., Any]) -> Accuracy | None:
    """The accuracy that goes with a loss; None for a regression, which has none.

    Args:
        loss: A loss component, or a partial of one; its `ignore_index` and `source` hold for the accuracy too. Of a sum
            of losses, the first that has an accuracy.
    """
    if isinstance(loss, Combined):
        return next(filter(None, (accuracy_for(term) for _, term in loss.terms)), None)
    settings = getattr(loss, "keywords", {})
    name = getattr(getattr(loss, "func", loss), "component_name", "")
    if name not in _OF_CLASSES and name not in _OF_ANSWERS:
        return None
    source = settings.get("source") or _SOURCES.get(name, "")
    exclusive = name in _OF_CLASSES and source in _EXCLUSIVE
    return Accuracy(settings.get("ignore_index"), _THRESHOLDS.get(source, 0.5), exclusive)


_OF_CLASSES = ("NLL", "CrossEntropy", "Dice", "Jaccard", "Tversky", "Focal", "Lovasz")
_OF_ANSWERS = ("BCE", "BCEWithLogits")
_SOURCES = {"BCEWithLogits": "linear", "CrossEntropy": "linear"}
"""What losses take for granted, where that is no probability."""
_EXCLUSIVE = ("softmax", "log_softmax", "linear", "none")
"""Sources of outputs of which these losses take one class to be right."""
_THRESHOLDS = {"linear": 0.0, "none": 0.0, "log_softmax": math.log(0.5)}


def _pair(right: Tensor, counted: Tensor) -> Tensor:
    return torch.stack([right.sum(dtype=torch.float64), counted.sum(dtype=torch.float64)])


def _dice(common: Tensor, sizes: Tensor) -> Tensor:
    """Sum over samples of the Dice coefficient averaged over classes, from counts of shape (n, classes)."""
    coefficient = torch.where(sizes > 0, 2 * common / sizes, 1.0).mean(1)
    return torch.stack([coefficient.sum(), coefficient.new_full((), len(coefficient))])
