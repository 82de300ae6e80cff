"""How far a run is, how fast it goes, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

from rmldnn.steps import EvalStep, Step, TrainStep


class Progress:
    """Follows the steps of a run; reads no tensor, and computes nothing before it is asked.

    A phase is the training or the evaluation of one epoch. All times are in seconds, up to the last step; what is left
    is estimated from the pace so far, evaluations and pauses included.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._run_began: float | None = None
        self._phase_began: float | None = None
        self._now = 0.0
        self._first_epoch = 1
        self._phase_samples = 0
        self.train_samples = 0
        """Samples trained on, each epoch counted."""
        self.step: TrainStep | EvalStep | None = None
        """The batch done last."""

    def follow(self, step: Step) -> None:
        """Takes note of a step."""
        self._now = self._clock()
        if not isinstance(step, (TrainStep, EvalStep)):
            self._phase_began, self._phase_samples = self._now, 0
            return
        lasted = step.data_seconds + step.compute_seconds if isinstance(step, TrainStep) else 0.0
        if self._phase_began is None:
            self._phase_began = self._now - lasted
        if self._run_began is None:
            self._run_began, self._first_epoch = self._phase_began, step.epoch
        self.step = step
        self._phase_samples += step.size
        self.train_samples += step.size if isinstance(step, TrainStep) else 0

    @property
    def phase_done(self) -> float:
        """Part of the phase that is done, from 0 to 1."""
        return self.step.batch / self.step.num_batches if self.step else 0.0

    @property
    def run_done(self) -> float:
        """Part of the run's training that is done, from 0 to 1; a resumed run counts from where it took up."""
        if self.step is None:
            return 0.0
        epoch_done = self.phase_done if isinstance(self.step, TrainStep) else 1.0
        return (self.step.epoch - self._first_epoch + epoch_done) / (self.step.num_epochs - self._first_epoch + 1)

    @property
    def phase_elapsed(self) -> float:
        """Time since the phase began."""
        return self._now - (self._now if self._phase_began is None else self._phase_began)

    @property
    def run_elapsed(self) -> float:
        """Time since the first batch began."""
        return self._now - (self._now if self._run_began is None else self._run_began)

    @property
    def phase_left(self) -> float | None:
        """Estimated time to the end of the phase; None while unknown."""
        return _left(self.phase_elapsed, self.phase_done)

    @property
    def run_left(self) -> float | None:
        """Estimated time to the end of the run; None while unknown."""
        return _left(self.run_elapsed, self.run_done)

    @property
    def samples_per_second(self) -> float | None:
        """Throughput of the phase; None while unknown."""
        return self._phase_samples / self.phase_elapsed if self._phase_samples and self.phase_elapsed > 0 else None


def _left(elapsed: float, done: float) -> float | None:
    return elapsed * (1 - done) / done if done > 0 and elapsed > 0 else None
