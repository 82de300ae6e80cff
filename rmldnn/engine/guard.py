"""Stops a training whose loss is no number any more, or far worse than at its beginning."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import torch

from rmldnn.engine.interface import Engine
from rmldnn.errors import TrainingError
from rmldnn.steps import Batch, EpochEnd, EvalEnd, Step, TrainEnd, TrainStep

_HOLD = 64
"""Updates whose losses are looked at together: a GPU is not waited for at every one."""
_WORSE = 1e3
"""So many times the loss of the first updates means that the training has diverged."""
_FEW = 4
"""Of the first updates, so many are compared with the very first one: a training may diverge at once."""
_USUAL = 1.0
"""What the loss of a network that knows nothing is about; by chance, the first batch may be an easy one."""
_SHOWN = 8
"""Samples that a message names."""
_FILE = "faulty_batch.txt"
"""The file in the run folder that names all of them, one a line."""


class Guard:
    """Consumes training steps; nothing may be saved before `check` was called.

    Args:
        engine: What computes; all its processes see the same losses.
        folder: The run folder.
        eager: Whether losses cost nothing to read, as they are on the CPU.
        norms: Whether a gradient that is no number is a fault; scaled losses of `fp16` overflow now and then.
    """

    def __init__(self, engine: Engine, folder: Path, *, eager: bool, norms: bool = True) -> None:
        self._engine = engine
        self._folder = folder
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
                raise TrainingError(
                    f"the {what} in epoch {step.epoch}, batch {step.batch}, whose samples are {self._names(step)}; if "
                    "these are sound (`rmldnn data` looks for values that are no numbers), a smaller "
                    "`optimizer.learning_rate`, a `gradient_clip` such as 1, or `precision` fp32 keeps it finite"
                )
        self._last += losses
        if self._first is None and len(self._last) >= _FEW:
            first = next(filter(None, map(abs, self._last)), 0.0)
            self._compare(first, max(first, _USUAL), self._last[-_FEW:], held[-1])
        if len(self._last) >= _HOLD:
            if self._first is None:
                self._first = statistics.median(map(abs, self._last))
            self._compare(self._first, self._first, self._last, held[-1])
            self._last = []

    def _compare(self, first: float, sound: float, losses: list[float], step: TrainStep) -> None:
        """Compares losses with a sound one; those that fall below 0 get better, however far."""
        now = statistics.median(losses)
        if now > _WORSE * sound > 0:
            raise TrainingError(
                f"the training diverges: the loss was about {first:.3g} in the beginning and is about {now:.3g} "
                f"in epoch {step.epoch}, batch {step.batch}; take a smaller `optimizer.learning_rate`, or a "
                "`gradient_clip`"
            )

    def _names(self, step: TrainStep) -> str:
        """The first samples of the batch, and the file with all of them; every process asks, and the first one writes.

        The others wait for it: a launcher ends all processes as soon as one has ended.
        """
        nothing = torch.zeros(1)
        parts = self._engine.parts(Batch(step.names, nothing, None, 0, step.size), nothing)
        names = [name for part, _ in parts for name in part]
        text = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
        if self._engine.rank == 0:
            path = self._folder / _FILE
            try:
                path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
                text += f" (all {len(names)} in `{path}`)"
            except OSError as error:  # the loss is the fault to tell
                text += f" ({len(names)} in all; cannot write them to `{path}`: {error.strerror})"
        return self._engine.told(text)

    def close(self) -> None:
        """Has nothing to complete."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"first": self._first, "last": self._last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._first, self._last = state["first"], state["last"]
