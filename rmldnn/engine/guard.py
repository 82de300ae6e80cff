"""Stops a training whose loss is no number any more, or far worse than at its beginning."""

from __future__ import annotations

import math
import statistics
from typing import Any

import torch

from rmldnn.errors import TrainingError
from rmldnn.steps import EpochEnd, EvalEnd, Step, TrainEnd, TrainStep

_HOLD = 64
"""Updates whose losses are looked at together: a GPU is not waited for at every one."""
_WORSE = 1e3
"""So many times the loss of the first updates means that the training has diverged."""
_SHOWN = 8
"""Samples that a message names."""


class Guard:
    """Consumes training steps; nothing may be saved before `check` was called.

    Args:
        eager: Whether losses cost nothing to read, as they are on the CPU.
        norms: Whether a gradient that is no number is a fault; scaled losses of `fp16` overflow now and then.
    """

    def __init__(self, *, eager: bool, norms: bool = True) -> None:
        self._norms = norms
        self._hold = 1 if eager else _HOLD
        self._held: list[TrainStep] = []
        self._first: float | None = None
        self._last: list[float] = []

    def consume(self, step: Step) -> None:
        """Looks at the losses now and then.

        Raises:
            TrainingError: The training cannot go on.
        """
        match step:
            case TrainStep():
                self._held.append(step)
                if len(self._held) >= self._hold:
                    self.check()
            case TrainEnd() | EpochEnd():
                self.check()
            case EvalEnd() if step.loss is not None and not math.isfinite(step.loss):
                raise TrainingError(
                    f"the test loss is {float(step.loss):g} after epoch {step.epoch}: the weights are ruined, or the "
                    "test set holds values that are no numbers; a smaller `optimizer.learning_rate` or a "
                    "`gradient_clip` keeps weights sound"
                )

    def check(self) -> None:
        """Looks at the losses that were not looked at.

        Raises:
            TrainingError: One of them is no number, or they are far worse than the first ones.
        """
        held, self._held = self._held, []
        if not held:
            return
        losses = torch.stack([step.loss for step in held]).tolist()
        norms = torch.stack([step.grad_norm for step in held]).tolist() if self._norms else losses
        for step, loss, norm in zip(held, losses, norms, strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                what = f"loss is {loss:g}" if not math.isfinite(loss) else f"gradient's length is {norm:g}"
                names = ", ".join(step.names[:_SHOWN]) + (" ..." if len(step.names) > _SHOWN else "")
                raise TrainingError(
                    f"the {what} in epoch {step.epoch}, batch {step.batch}, whose samples are {names}; if "
                    "these are sound (`rmldnn data` looks for values that are no numbers), a smaller "
                    "`optimizer.learning_rate`, a `gradient_clip` such as 1, or `precision` fp32 keeps it finite"
                )
        self._last += losses
        if len(self._last) >= _HOLD:
            self._compare(held[-1])

    def _compare(self, step: TrainStep) -> None:
        """Compares the losses of some updates with those of the first ones."""
        now, self._last = statistics.median(map(abs, self._last)), []
        self._first = now if self._first is None else self._first
        if now > _WORSE * self._first > 0:
            raise TrainingError(
                f"the training diverges: the loss was about {self._first:.3g} in the beginning and is about {now:.3g} "
                f"in epoch {step.epoch}, batch {step.batch}; take a smaller `optimizer.learning_rate`, or a "
                "`gradient_clip`"
            )

    def close(self) -> None:
        """Has nothing to complete."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"first": self._first, "last": self._last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._first, self._last = state["first"], state["last"]
