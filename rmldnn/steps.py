"""What a run consists of, step by step: the engine yields these, outputs consume them.

Tensors stay on their device; a consumer that needs a number converts it, so that nobody else pays for the wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True)
class Batch:
    """What one process sees of one global batch; may hold no sample at all when the batch is smaller than the run.

    Args:
        names: Sample names, relative paths with `/`, one per local sample.
        inputs: Network input, shape (n, C, *spatial), float.
        targets: Class indices (n,) int64, or a dense target (n, C, *spatial); None if there is none.
        first: Position of the first local sample within the epoch's order.
        size: Number of samples of the global batch, over all processes.
    """

    names: Sequence[str]
    inputs: Tensor
    targets: Tensor | None
    first: int
    size: int


@dataclass(slots=True)
class TrainStep:
    """One update of the parameters. `loss` and `grad_norm` are those of the whole global batch, before the update.

    `names` are those of this process's samples; where batches are accumulated, an update's batches count as one.
    `losses` are those of the other networks that learned from the same samples, by name.
    """

    epoch: int
    num_epochs: int
    batch: int
    num_batches: int
    size: int
    loss: Tensor
    grad_norm: Tensor
    data_seconds: float
    compute_seconds: float
    names: Sequence[str] = ()
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class EvalStep:
    """One evaluated batch: its own loss, the accuracy so far, and on the writing process the predictions."""

    epoch: int
    num_epochs: int
    batch: int
    num_batches: int
    size: int
    loss: Tensor | None = None
    accuracy: Tensor | None = None
    names: Sequence[str] = ()
    predictions: Tensor | None = None


@dataclass(slots=True)
class TrainEnd:
    """The training half of an epoch is over. `loss` is the mean over its samples, as are `losses`, by name."""

    epoch: int
    num_epochs: int
    loss: Tensor
    seconds: float
    learning_rate: float
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class EvalEnd:
    """An evaluation is over. `loss`, `accuracy` and `metrics`, by name, are those of the whole test set.

    `classes` are the names of the classes that metrics know, by index.
    """

    epoch: int
    num_epochs: int
    seconds: float
    loss: Tensor | None = None
    accuracy: Tensor | None = None
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    classes: Sequence[str] = ()


@dataclass(slots=True)
class EpochEnd:
    """The epoch is over, evaluation included: the moment to save. The `last` one may come early."""

    epoch: int
    num_epochs: int
    last: bool


Step: TypeAlias = TrainStep | EvalStep | TrainEnd | EvalEnd | EpochEnd
