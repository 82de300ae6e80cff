"""Processes that leave together: one of them is told to, and all do so at the same place."""

from __future__ import annotations

import signal

import torch
from torch import Tensor
from torch.futures import Future

from rmldnn.engine.interface import Engine
from rmldnn.engine.leaving import SIGNALS, Leave
from rmldnn.errors import StoppedError
from rmldnn.steps import EvalEnd, Step


class Agreement:
    """What processes say to each other about leaving: at one step they say it, at the next one they hear of it.

    So none waits for another at every step, and yet all hear the same at the same place.

    Args:
        engine: Where and with whom.
        leave: Whether this process is told to leave.
    """

    def __init__(self, engine: Engine, leave: Leave) -> None:
        self._engine = engine
        self._leave = leave
        self._votes = torch.zeros(len(SIGNALS) + 1, dtype=torch.int64)
        self._said: Future[list[Tensor]] | None = None

    @property
    def pending(self) -> bool:
        """Whether somebody has yet to say what this process has said."""
        return self._said is not None and not self._said.done()

    def heard(self, fact: bool, *, now: bool = False) -> tuple[int, bool]:
        """Says whether this process is to leave and whether a fact holds for it; hears what all said before.

        Args:
            fact: Any that all processes have to know if it holds for one.
            now: Hear what all say now, and wait for them; one process alone always does.

        Returns:
            The signal that told one of them to leave, 0 if there was none, and whether the fact holds for any.
        """
        told, holds = self._hear() if self._said is not None else (0, False)
        if (now or self._engine.world == 1) and not told:
            self._say(fact)
            told, holds = self._hear()
        elif not (told or holds):  # else they do something about it first
            self._say(fact)
        return told, holds

    def _say(self, fact: bool) -> None:
        self._votes = torch.tensor([*(self._leave.signal == number for number in SIGNALS), fact], dtype=torch.int64)
        self._said = self._engine.begin_total(self._votes)

    def _hear(self) -> tuple[int, bool]:
        said, self._said = self._said, None
        assert said is not None  # noqa: S101 - something was said
        said.wait()
        *told, holds = self._votes.tolist()
        return next((number for number, count in zip(SIGNALS, told, strict=True) if count), 0), holds > 0


class Unsaved:
    """Consumes the steps of an evaluation, which has no state to save.

    Args:
        engine: Where and with whom it runs.
        leave: Whether this process is told to leave.
        apart: Whether processes take steps of their own. At the end they wait for each other here, so that whoever
            comes behind this consumer meets those of the others.
    """

    def __init__(self, engine: Engine, leave: Leave, *, apart: bool = False) -> None:
        self._agreement = Agreement(engine, leave)
        self._apart = apart

    def consume(self, step: Step) -> None:
        """Leaves if one of the processes is told to.

        Raises:
            StoppedError: It is.
        """
        ends = isinstance(step, EvalEnd)
        if self._apart and not ends and self._agreement.pending:
            return
        told, underway = self._agreement.heard(self._apart and not ends, now=ends)
        while ends and underway and not told:
            told, underway = self._agreement.heard(False, now=True)
        if told:
            raise StoppedError(told, f"stopped by {signal.Signals(told).name}")

    def close(self) -> None:
        """Has nothing to complete."""
