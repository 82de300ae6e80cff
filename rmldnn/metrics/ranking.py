"""How well scores order what is and what is not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.metrics.measure import by_class
from rmldnn.metrics.reading import IGNORED, Reading
from rmldnn.types import Count

_REACH = 20.0
"""Logits are told apart up to this size: probabilities between 2e-9 and 1 - 2e-9, more than float32 has near 1."""


@dataclass(frozen=True)
class Histogram:
    """Counts the scores of what is and what is not, for each class or label; shape (classes, 2, bins).

    Bins are equally wide in the logit of the probability, so that confident networks, whose probabilities crowd at 0
    and 1, are resolved as well as others.
    """

    reading: Reading
    num_bins: int

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """The histograms of a batch."""
        labels = self.reading.has_labels(output, target)
        truth = self.reading.truth(output, target, "AUROC")
        score = self.reading.score(output).movedim(1, 0).flatten(1)
        classes = len(score)
        if labels:
            truth = truth.movedim(1, 0).flatten(1)
            counted, positive = truth != IGNORED, truth == 1
        else:
            truth = truth.flatten().expand(classes, -1)
            counted, positive = truth != IGNORED, truth == torch.arange(classes, device=truth.device)[:, None]
        edges = torch.linspace(-_REACH, _REACH, self.num_bins - 1, device=score.device)
        place = torch.bucketize(score.contiguous(), edges) + positive * self.num_bins
        counts = torch.zeros(classes, 2 * self.num_bins, dtype=torch.float64, device=score.device)
        return counts.scatter_add_(1, place, counted.double()).view(classes, 2, self.num_bins)


@dataclass(frozen=True)
class Auroc:
    """The area under the curve of true over false positives, of each class against the others, and its mean."""

    counter: Histogram
    name: str = "AUROC"

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """The part of all pairs, one that is and one that is not, that the scores order rightly; ties count half."""
        negative, positive = sums.unbind(1)
        pairs = positive.sum(1) * negative.sum(1)
        below = negative.long().cumsum(1) - negative / 2  # of floats, GPUs know no deterministic sum
        values = torch.where(pairs > 0, (positive * below).sum(1) / pairs.clamp_min(1), torch.nan)
        names = [self.counter.reading.name(index) for index in range(len(values))]
        return by_class(self.name, values.nanmean(), values, names)


@component("AUROC", title="AUROC (Area Under the ROC Curve)")
def auroc(reading: Reading, *, num_bins: Count = 16384) -> Auroc:
    """The area under the receiver operating characteristic, of each class against all others, and the mean of these.

    Scores are counted in bins that are equally wide in log(p / (1 - p)) from -20 to 20, each 0.0024 at the default, and
    those in one bin count as equal: the result does not depend on batches and processes, and nothing grows with the
    data. Classes that are everywhere or nowhere have none and are left out of the mean.

    Args:
        reading: What outputs and targets mean.
        num_bins: Number of bins; each class needs 16 bytes for each.
    """
    return Auroc(Histogram(reading, num_bins))
