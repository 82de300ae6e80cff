"""Binary cross-entropy."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, mean
from rmldnn.losses.target import dense
from rmldnn.types import Source, Total


@component("BCE", title="BCE (Binary Cross-Entropy)")
def bce(output: Tensor, target: Tensor, total: Total = alone, *, source: Source | None = None) -> Tensor:
    """The mean over all elements of -[t log p + (1 - t) log(1 - p)], with both logarithms cut off at -100.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Probabilities of the same shape, in [0, 1]. Class indices (n, *spatial) are taken as one-hot vectors
            if the network has several outputs, and as probabilities 0 and 1 if it has one.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in: `sigmoid` and `softmax` give probabilities, as is taken for granted
            if absent; `log_softmax` gives their logarithms; `linear` and `none` give logits.

    Raises:
        ConfigError: Target and output do not fit, or the output holds no probabilities.
    """
    target = dense(output, target, "BCE")
    if source in ("linear", "none"):
        return mean(F.binary_cross_entropy_with_logits, output, target, total)
    probability = output.exp() if source == "log_softmax" else output
    try:
        return mean(F.binary_cross_entropy, probability, target, total)
    except RuntimeError as error:  # torch's kernel looks at every value anyway
        if "between 0 and 1" not in str(error):
            raise
        raise ConfigError(Problem("loss", _TARGET if "target" in str(error) else _OUTPUT)) from None


_OUTPUT = (
    "BCE takes probabilities from 0 to 1, but the network gives values outside; end the network in a `sigmoid`, or set "
    "`loss.source` to `linear` if it gives logits"
)
_TARGET = (
    "BCE takes targets from 0 to 1, but the target holds values outside; scale it to that range, or for more than two "
    "classes give the network one output for each class"
)
