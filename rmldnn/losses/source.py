"""What a network's output means, by its `source`: the activation that it went through already.

Every function gives float32 or wider, so that logarithms and sums of 16-bit outputs are safe. Logarithms of
probabilities that were rounded to 0 are cut off, and so are their slopes: at 1e-12, and at 2^-14 for float16, whose
gradients could not be larger than 65504. Networks that end in `linear` or `log_softmax` need no such cut.

`linear` and `none` are scores: of two classes for one channel (sigmoid), of classes that exclude each other for several
(softmax).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own abbreviation
from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import wide
from rmldnn.types import Source

SCORES = ("linear", "none")
"""Sources of outputs that are no probabilities yet."""
_LEAST_LOGARITHM = -100.0
"""Torch's binary cross-entropy cuts off there."""


def probabilities(output: Tensor, source: Source | None) -> Tensor:
    """Probabilities of the channels, shape of the output.

    Args:
        output: Network output, shape (n, channels, *spatial).
        source: Its last activation; probabilities if absent.
    """
    output = wide(output)
    if source == "log_softmax":
        return output.exp()
    if source in SCORES:
        return output.sigmoid() if output.shape[1] == 1 else output.softmax(1)
    return output


def log_probabilities(output: Tensor, source: Source, loss: str) -> Tensor:
    """Logarithms of the probabilities of classes that exclude each other, shape of the output.

    Args:
        output: Network output, shape (n, classes, *spatial).
        source: Its last activation.
        loss: Name of the loss, for messages.

    Raises:
        ConfigError: The source is `sigmoid`, whose outputs do not exclude each other.
    """
    if source == "sigmoid":
        raise ConfigError(
            Problem(
                "loss.source",
                f"{loss} takes classes of which one is right, but each output of a `sigmoid` is a probability of its "
                "own; end the network in a `softmax` or `log_softmax`, or take the loss BCE",
            )
        )
    if source == "softmax":
        return held(wide(output), _least(output)).log()
    return F.log_softmax(wide(output), 1) if source in SCORES else wide(output)


def log_yes_and_no(output: Tensor, source: Source | None) -> tuple[Tensor, Tensor]:
    """For channels that are yes-or-no questions: the logarithms of the probabilities of yes and of no.

    Args:
        output: Network output, shape (n, channels, *spatial).
        source: Its last activation; probabilities if absent.
    """
    values, least = wide(output), _least(output)
    if source in SCORES:
        return F.logsigmoid(values), F.logsigmoid(-values)
    if source == "log_softmax":
        return values.clamp_min(_LEAST_LOGARITHM), log_complement(values, least)
    return held(values, least).log(), held(1 - values, least).log()


def log_complement(logarithm: Tensor, least: float = 1e-12) -> Tensor:
    """log(1 - p) from log p, without losing the digits of p near 0 or 1.

    Args:
        logarithm: log p.
        least: Where 1 - p is cut off.
    """
    return held(-torch.expm1(logarithm), least).log()


def held(value: Tensor, least: float) -> Tensor:
    """At least `least`, with the slope 1 everywhere: what is cut off still learns, by the slope of the cut."""
    return value + (least - value.detach()).clamp_min(0)


def _least(output: Tensor) -> float:
    return 2.0**-14 if output.dtype is torch.float16 else 1e-12
