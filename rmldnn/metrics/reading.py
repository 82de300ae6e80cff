"""How metrics read what a network says and what is true: as the accuracy of the run's loss does.

==========================================  ===================================================================
network output, target                      what is compared
==========================================  ===================================================================
(n, classes, *spatial), class indices       the class of the largest output with the right class, at every place
(n, 1, *spatial)                            one yes or no at every place, as 1 and 0 in the target
(n, labels, *spatial), dense target         one yes or no for each label at every place; or, where the loss takes
                                            channels for classes that exclude each other, as in the first row
==========================================  ===================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.combined import Combined
from rmldnn.losses.reduction import wide
from rmldnn.losses.target import dense, indices_on_device, moved
from rmldnn.metrics.accuracy import Accuracy, accuracy_for

IGNORED = -1
"""What `Reading.truth` holds where there is nothing to compare."""


@dataclass(frozen=True)
class Reading:
    """What outputs and targets mean.

    Args:
        threshold: Output above which a yes-or-no output means yes, which also says what outputs are: 0.5 for
            probabilities, 0 for logits, log 0.5 for log-probabilities.
        exclusive: Whether the channels of dense targets are classes that exclude each other.
        ignore_index: Class index in targets that counts for nothing.
        classes: Names of the classes or labels, by index; classes without a name are called by their index.
    """

    threshold: float = 0.5
    exclusive: bool = False
    ignore_index: int | None = None
    classes: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """What a class or label is called."""
        return self.classes[index] if index < len(self.classes) else str(index)

    def has_labels(self, output: Tensor, target: Tensor) -> bool:
        """Whether each output is a yes or no of its own, rather than one of several classes."""
        return output.shape[1] == 1 or (target.shape == output.shape and not self.exclusive)

    def truth(self, output: Tensor, target: Tensor, metric: str) -> Tensor:
        """What is right, int64, on the output's device.

        Args:
            output: Network output, shape (n, channels, *spatial).
            target: As the loss takes it; may still lie on the host.
            metric: Name of the metric, for messages.

        Returns:
            Class indices, shape (n, *spatial), or 0 and 1 of each label, shape (n, labels, *spatial); `IGNORED` where
            nothing counts.

        Raises:
            ConfigError: Target and output do not fit, or a class index has no output.
        """
        if self.has_labels(output, target):
            values = dense(output, target, metric)
            right, values = (values > 0.5).long(), values.round()
        elif target.shape == output.shape:
            return moved(target, output.device).float().argmax(1)
        else:
            values = right = indices_on_device(output, target, metric, self.ignore_index)
        return right if self.ignore_index is None else right.where(values != self.ignore_index, IGNORED)

    def decision(self, output: Tensor, labels: bool) -> Tensor:
        """What the network says, in the form of `truth`."""
        return (output > self.threshold).long() if labels else output.argmax(1)

    def score(self, output: Tensor) -> Tensor:
        """Logits log(p / (1 - p)) of the probability of each class or label; shape of the output, float32 or wider."""
        output = wide(output)
        if self.threshold > 0:
            return torch.logit(output)
        if self.threshold == 0:
            if output.shape[1] == 1 or not self.exclusive:
                return output
            output = F.log_softmax(output, 1)
        return output - (-torch.expm1(output)).log()


def reading_for(loss: Callable[..., Any] | None, classes: Sequence[str] = ()) -> Reading:
    """The reading that goes with a loss.

    Args:
        loss: A loss component, or a partial or a sum of such; none means probabilities.
        classes: Names of the classes, by index.
    """
    loss = _leading(loss)
    accuracy = (accuracy_for(loss) if loss else None) or Accuracy()
    threshold, exclusive = accuracy.threshold, accuracy.exclusive
    if getattr(getattr(loss, "func", loss), "component_name", "") == "NLL":
        threshold, exclusive = math.log(0.5), True
    return Reading(threshold, exclusive, accuracy.ignore_index, tuple(classes))


def _leading(loss: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Of a sum of losses the first that has an accuracy."""
    if not isinstance(loss, Combined):
        return loss
    return next((_leading(term) for _, term in loss.terms if accuracy_for(term) is not None), None)


def require_axes(output: Tensor, metric: str, axes: Sequence[int]) -> None:
    """Checks that the network's output has as many spatial axes as a metric can take.

    Raises:
        ConfigError: It does not.
    """
    if output.ndim - 2 not in axes:
        needed = " or ".join(map(str, axes))
        message = f"{metric} needs {needed} spatial axes, but the network's output has {output.ndim - 2}; remove it"
        raise ConfigError(Problem("metrics", message))
