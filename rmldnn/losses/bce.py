"""Binary cross-entropy, of probabilities and of scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, mean, ratio, wide
from rmldnn.losses.source import SCORES, log_yes_and_no
from rmldnn.losses.target import dense
from rmldnn.losses.weights import by_channel, class_weights
from rmldnn.types import NonNegative, Source, Total


@component("BCE", title="BCE (Binary Cross-Entropy)")
def bce(output: Tensor, target: Tensor, total: Total = alone, *, source: Source | None = None) -> Tensor:
    """The mean over all elements of -[t log p + (1 - t) log(1 - p)], with both logarithms cut off at -100.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Probabilities of the same shape, in [0, 1]. Class indices (n, *spatial) are taken as one-hot vectors
            if the network has several outputs, and as probabilities 0 and 1 if it has one.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in, the network's own if absent: `sigmoid` and `softmax` give
            probabilities, as is taken for granted if there is none; `log_softmax` gives their logarithms; `linear` and
            `none` give logits.

    Raises:
        ConfigError: Target and output do not fit, or the output holds no probabilities.
    """
    if source in SCORES:
        return _of_scores(output, target, total, "BCE")
    if source == "log_softmax" or output.dtype is torch.float16:  # whose gradients torch's kernel makes infinite
        return _of_logarithms(output, target, total, "BCE", source)
    output = wide(output)
    if target.device != output.device and not _is_share(output, target):  # a GPU's kernel does not say what is wrong
        raise ConfigError(Problem("loss", _TARGET))
    target = dense(output, target, "BCE")
    try:
        with torch.autocast(output.device.type, enabled=False):  # where torch refuses, since outputs could be 16 bits
            return mean(F.binary_cross_entropy, output, target, total)
    except RuntimeError as error:  # torch's kernel looks at every value anyway
        if "between 0 and 1" not in str(error):
            raise
        raise ConfigError(Problem("loss", _TARGET if "target" in str(error) else _OUTPUT)) from None


@component("BCEWithLogits")
def bce_with_logits(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    pos_weight: list[NonNegative] | None = None,
    source: Source | None = None,
) -> Tensor:
    """The binary cross-entropy of scores, whose probabilities are their sigmoid: torch's `BCEWithLogitsLoss`.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: As BCE takes it.
        total: Sums a tensor over all processes.
        pos_weight: One factor for each channel, by which its yes counts more than its no: their ratio in the data
            balances them.
        source: Activation that the network ends in, the network's own if absent: `linear` gives scores, as is taken for
            granted if there is none; others give probabilities or their logarithms, and the loss is that of BCE.

    Raises:
        ConfigError: Target and output do not fit, or `pos_weight` has another length than there are channels.
    """
    if source in (*SCORES, None):
        return _of_scores(output, target, total, "BCEWithLogits", pos_weight)
    return _of_logarithms(output, target, total, "BCEWithLogits", source, pos_weight)


def _is_share(output: Tensor, target: Tensor) -> bool:
    """Whether a dense target holds values from 0 to 1 only; class indices are judged where they become vectors."""
    if not target.numel() or (output.shape[1] > 1 and target.shape != output.shape):
        return True
    low, high = target.aminmax()
    return bool(low >= 0 and high <= 1)


def _of_scores(
    output: Tensor, target: Tensor, total: Total, loss: str, pos_weight: list[float] | None = None
) -> Tensor:
    output = wide(output)
    factor = None if pos_weight is None else by_channel(class_weights(pos_weight, output, "pos_weight"), output)

    def elementwise(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target, pos_weight=factor, reduction=reduction)

    return mean(elementwise, output, dense(output, target, loss), total)


def _of_logarithms(
    output: Tensor,
    target: Tensor,
    total: Total,
    loss: str,
    source: Source | None,
    pos_weight: list[float] | None = None,
) -> Tensor:
    yes, no = log_yes_and_no(output, source)
    target = dense(yes, target, loss)
    if pos_weight is not None:
        yes = yes * by_channel(class_weights(pos_weight, yes, "pos_weight"), yes)
    return ratio(-(target * yes + (1 - target) * no).sum(), yes.numel(), total)


_OUTPUT = (
    "BCE takes probabilities from 0 to 1, but the network gives values outside; end the network in a `sigmoid`, or set "
    "`loss.source` to `linear` if it gives logits"
)
_TARGET = (
    "BCE takes targets from 0 to 1, but the target holds values outside; list the values of masks in the order of the "
    'classes, such as `"values": [0, 255]` in `data`, scale it to that range, or for more than two classes give the '
    "network one output for each class"
)
