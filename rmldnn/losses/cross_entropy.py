"""Cross-entropy of classes, from scores."""

from __future__ import annotations

from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.nll import likelihood, of_probabilities
from rmldnn.losses.reduction import alone, ratio
from rmldnn.losses.source import log_probabilities
from rmldnn.losses.target import indices_on_device, is_dense, moved, no_class_to_ignore
from rmldnn.losses.weights import by_channel, class_weights, masses
from rmldnn.types import NonNegative, OpenFraction, Source, Total


@component("CrossEntropy")
def cross_entropy(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    label_smoothing: OpenFraction = 0.0,
    weight: list[NonNegative] | None = None,
    ignore_index: int | None = None,
    source: Source | None = None,
) -> Tensor:
    """The negative log-likelihood of scores, with smoothed targets if wanted: torch's `CrossEntropyLoss`.

    Args:
        output: Network output, shape (n, classes, *spatial).
        target: Class indices, shape (n, *spatial) or (n, 1, *spatial), or floats of the output's shape for several
            classes: their probabilities.
        total: Sums a tensor over all processes.
        label_smoothing: How much of each target is spread evenly over all classes, as in Szegedy et al., "Rethinking
            the Inception architecture for computer vision" (2016).
        weight: One weight for each class, not all of them 0; all alike if absent.
        ignore_index: Class index that counts for nothing.
        source: Activation that the network ends in, the network's own if absent: `linear` gives scores, as is taken
            for granted if there is none; of probabilities (`softmax`) the logarithm is taken.

    Raises:
        ConfigError: Target and output do not fit, `ignore_index` meets probabilities, `source` is `sigmoid`, or
            `weight` has another length than there are classes, or only zeros.
    """
    logarithms = log_probabilities(output, source or "linear", "CrossEntropy")
    if not label_smoothing:
        return likelihood(logarithms, target, total, "CrossEntropy", weight, ignore_index)
    classes = output.shape[1]
    if is_dense(output, target):
        if ignore_index is not None:
            raise no_class_to_ignore()
        target = moved(target, logarithms.device).to(logarithms)
        return of_probabilities(logarithms, (1 - label_smoothing) * target + label_smoothing / classes, total, weight)
    indices = indices_on_device(output, target, "CrossEntropy", ignore_index)
    mass = masses(logarithms, indices, weight, ignore_index)
    counted = 1 if ignore_index is None else indices != ignore_index
    right = logarithms.gather(1, (indices * counted).unsqueeze(1)).squeeze(1)
    if weight is not None:
        logarithms = logarithms * by_channel(class_weights(weight, logarithms), logarithms)
    spread = logarithms.mean(1) * counted
    loss = -((1 - label_smoothing) * right * mass + label_smoothing * spread).sum()
    return ratio(loss, mass.sum(), total)
