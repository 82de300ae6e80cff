"""What is remembered of the trials of a sweep: Optuna's study, in the terms of the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rmldnn.config.domains import Choices
from rmldnn.config.keys import Values
from rmldnn.sweeps import choosing, storage, turns
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.trial import Outcome, Trial

_KILLED = "killed"
_ENDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
_KILLS = 3
"""How often the process of a trial may be killed without having come further."""


class Record:
    """The trials of a sweep and how they ended, in a folder that several processes may share.

    Args:
        optuna: The package.
        study: Optuna's study.
        folder: The sweep's folder.
        space: What is tried.
        minimize: Whether the least is the best.
    """

    def __init__(self, optuna: Any, study: Any, folder: Path, space: Space, *, minimize: bool) -> None:
        self._optuna, self._study, self._space = optuna, study, space
        self._best = min if minimize else max
        self.folder = folder

    @property
    def optunas(self) -> Any:
        """Optuna's own study, for its drawings."""
        return self._study

    @property
    def parameters(self) -> list[str]:
        """What is tried, by path in the configuration."""
        return list(self._space.domains)

    def alone(self, what: str = "") -> AbstractContextManager[None]:
        """Keeps other workers of the sweep out meanwhile: of everything, or of what has this name."""
        return storage.alone(self.folder, what)

    def remembering(self) -> AbstractContextManager[None]:
        """Turns what goes wrong with the study into an error that names it."""
        return storage.remembering(self._optuna, self.folder)

    def latest(self) -> dict[int, Any]:
        """Optuna's trials by their number in the sweep: of several tries the last."""
        return turns.latest(self._study.get_trials(deepcopy=False))

    def trials(self) -> list[tuple[Trial, Outcome]]:
        """All trials that have ended, by number."""
        with self.remembering():
            known = sorted(self.latest().items())
        return [(self._trial(n, found.params), self._outcome(found)) for n, found in known if found.state.name in _ENDS]

    @property
    def given_up(self) -> int:
        """How many trials have failed so often that they are tried no more."""
        with self.remembering():
            return turns.given_up(self._study.get_trials(deepcopy=False))

    def others(self) -> int:
        """How many trials other workers run just now."""
        with self.alone(), self.remembering():
            return self._others()

    def _others(self) -> int:
        running = [self._trial(n) for n, found in self.latest().items() if found.state.name == "RUNNING"]
        free = [trial for trial in running if trial.take()]
        for trial in free:
            trial.release()
        return len(running) - len(free)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Notes how a trial has ended, removes the states of its training, and lets go of it, in this order."""
        with self.remembering():
            for key, value in outcome.facts().items():
                trial.note(key, value)
            states = self._optuna.trial.TrialState
            state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[outcome.state]
            self._study.tell(trial.live, outcome.value if outcome.state == "complete" else None, state)
        trial.tidy()
        trial.release()

    def interrupted(self, trial: Trial) -> bool:
        """Lets go of a trial whose process something has ended; whether it goes on, as it has come further since."""
        with self.remembering():
            times, before = trial.live.user_attrs.get(_KILLED, (0, None))
            times, place = times + 1 if trial.progress == before else 1, trial.progress
            trial.note(_KILLED, [times, place])
        if times < _KILLS:
            trial.release()
        return bool(times < _KILLS)

    def _trial(self, number: int, params: Mapping[str, Any] | None = None) -> Trial:
        return Trial(number, self._decoded(params or {}), self.folder, remembering=self.remembering)

    def _outcome(self, found: Any) -> Outcome:
        facts = {key: value for key, value in found.user_attrs.items() if key in Outcome.FACTS}
        seen = found.intermediate_values.values() if found.state.name == "PRUNED" else ()
        return Outcome(_ENDS[found.state.name], self._best(seen, default=found.value), **facts)

    def _decoded(self, params: Mapping[str, Any]) -> Values:
        """Optuna's values as those of the configuration, in the order of the space."""
        values = {}
        for path, item in self._space.domains.items():
            if path in params:
                label = params[path]
                same = item.values if isinstance(item, Choices) else ()
                values[path] = next((value for value in same if choosing.label(value) == label), label)
        return values

    def _tidy(self) -> None:
        """Removes states of trials that have ended, which a worker that was killed has left."""
        for number, found in self.latest().items():
            if found.state.name in _ENDS:
                self._trial(number).tidy()
