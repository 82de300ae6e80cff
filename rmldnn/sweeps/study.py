"""What remembers the trials of a sweep, and gives workers one after the other: the only door to Optuna."""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rmldnn.config.domains import Choices
from rmldnn.config.keys import Values
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.places import writing
from rmldnn.sweeps import choosing, storage, turns
from rmldnn.sweeps.identity import differences, identity
from rmldnn.sweeps.settings import Settings
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.trial import TRIALS, Outcome, Trial
from rmldnn.sweeps.turns import NUMBER

log = logging.getLogger("rmldnn")

_BEGUN, _KILLED, _IDENTITY = "begun", "killed", "identity"
_ENDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
_MANY = 20
"""Trials of a sweep without a number of its own that is no grid."""
_PATIENCE = 3
"""How often the process of a trial may be killed without having come further."""


def required(settings: Settings) -> Any:
    """Optuna.

    Raises:
        ConfigError: It is not installed, or something else that the sampler needs.
    """
    try:
        import optuna
    except ImportError as error:
        message = "sweeps need a package that is not installed; type: pip install 'rmldnn[sweep]'"
        raise ConfigError(Problem("sweep", message)) from error
    choosing.require_packages(settings.sampler)
    return optuna


class Study:
    """The trials of a sweep, in a folder; several processes may work on one.

    A trial of the sweep that failed is tried once more by whoever opens its study again: as another trial of Optuna's,
    which has the number, and takes the place, of the first.

    Args:
        folder: The sweep's folder, made if need be.
        settings: Who chooses, and who ends trials early.
        space: What is tried.
        base: The composed configuration.

    Raises:
        ConfigError: Optuna is not installed, the folder cannot be written, or it is that of another sweep.
    """

    def __init__(self, folder: Path, settings: Settings, space: Space, base: Values) -> None:
        optuna = required(settings)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._settings, self._space = settings, space
        self._seed = int(base.get("seed", 0))
        wanted, size = settings.num_trials, space.size
        self._grid = settings.sampler == "grid" or (
            settings.sampler == "auto" and size is not None and (wanted is None or wanted >= size)
        )
        self.folder = folder
        self._distributions = {path: choosing.distribution(optuna, item) for path, item in space.domains.items()}
        with writing(str(folder), key="--sweep-folder"):
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        with self.alone():
            pruner = choosing.pruner(optuna, settings, base, grid=self._grid)
            self._study = storage.opened(optuna, folder, settings.storage, minimize=settings.minimize, pruner=pruner)
            with self.remembering():
                self._require_same(identity(space, settings, base))
                self._failed = {number: found for number, found in self._latest().items() if found.state.name == "FAIL"}

    @property
    def total(self) -> int:
        """How many trials the sweep is to have; of lists no more than there are combinations."""
        wanted = self._settings.num_trials or (self._space.size if self._grid else None) or _MANY
        return min(wanted, self._space.size or wanted)

    @property
    def identity(self) -> str:
        """What tells this study from all others."""
        return str(self._study.user_attrs[_IDENTITY])

    @property
    def again(self) -> int:
        """How many trials had failed before, and are tried once more."""
        return len(self._failed)

    def next(self) -> Trial | None:
        """A trial to run: one that was left when its worker was killed, a new one, or one that failed before; or None.

        What is chosen once more has its value from the trial that had the same ones.
        """
        with self.alone(), self.remembering():
            states = self._optuna.trial.TrialState
            while True:
                known = self._study.get_trials(deepcopy=False)
                for found in known:
                    trial = Trial(found.user_attrs[NUMBER], {}, self.folder)
                    if found.state is states.RUNNING and trial.take():
                        self._study.sampler = self._sampler(found.number)
                        live = self._optuna.trial.Trial(self._study, found._trial_id)
                        trial.reported |= found.intermediate_values.keys()
                        trial.hopeless = bool(trial.reported) and bool(live.should_prune())
                        return self._begun(self._chosen(trial, live), found)
                waiting = next((found for found in known if found.state is states.WAITING), None)
                if waiting is None:
                    grid = self._space if self._grid else None
                    wanted = turns.following(turns.latest(known), self.total, grid, self._failed)
                    if wanted is None:
                        return None
                    number, params = wanted
                    self._study.enqueue_trial(params, {NUMBER: number})  # so that none is ever without its number
                self._study.sampler = self._sampler(len(known) if waiting is None else waiting.number)
                live = self._study.ask()
                trial = self._chosen(Trial(live.user_attrs[NUMBER], {}, self.folder), live)
                if not self._known(trial):
                    return self._begun(trial)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Notes how a trial has ended, and lets go of it."""
        with self.remembering():
            for key, value in outcome.facts().items():
                trial.note(key, value)
            states = self._optuna.trial.TrialState
            state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[outcome.state]
            self._study.tell(trial.live, outcome.value if outcome.state == "complete" else None, state)
        trial.release()

    def interrupted(self, trial: Trial) -> bool:
        """Lets go of a trial whose process something has ended; whether it goes on, as it has come further since."""
        with self.remembering():
            times, before = trial.live.user_attrs.get(_KILLED, (0, None))
            times, place = times + 1 if trial.progress == before else 1, trial.progress
            trial.note(_KILLED, [times, place])
        if times < _PATIENCE:
            trial.release()
        return bool(times < _PATIENCE)

    def trials(self) -> list[tuple[Trial, Outcome]]:
        """All trials that have ended, by number."""
        found = []
        with self.remembering():
            for number, frozen in sorted(self._latest().items()):
                if frozen.state.name in _ENDS:
                    facts = {key: value for key, value in frozen.user_attrs.items() if key in Outcome.FACTS}
                    seen = frozen.intermediate_values.values() if frozen.state.name == "PRUNED" else ()
                    value = (min if self._settings.minimize else max)(seen, default=frozen.value)
                    trial = Trial(number, self._decoded(frozen.params), self.folder)
                    found.append((trial, Outcome(_ENDS[frozen.state.name], value, **facts)))
        return found

    @property
    def optunas(self) -> Any:
        """Optuna's own study, for its drawings."""
        return self._study

    def alone(self) -> AbstractContextManager[None]:
        """Keeps other workers of the sweep out meanwhile."""
        return storage.alone(self.folder)

    def remembering(self) -> AbstractContextManager[None]:
        """Turns what goes wrong with the study into an error that names it."""
        return storage.remembering(self._optuna, self.folder)

    def _latest(self) -> dict[int, Any]:
        return turns.latest(self._study.get_trials(deepcopy=False))

    def _known(self, trial: Trial) -> bool:
        """Ends a trial before it begins if another one with its values was completed; whether there was one."""
        known = self._latest()
        number = turns.completed(known, trial.live.params)
        if number is not None:
            facts = {key: value for key, value in known[number].user_attrs.items() if key in Outcome.FACTS}
            log.info("Trial %d has the values of trial %d, and is not run", trial.number, number)
            self.tell(trial, Outcome("complete", known[number].value, **{**facts, "seconds": 0.0}))
        return number is not None

    def _begun(self, trial: Trial, found: Any = None) -> Trial:
        """A trial in a folder of its own: an empty one, or that in which another worker has begun it."""
        trial.goes_on = found is not None and _BEGUN in found.user_attrs
        if not trial.goes_on:
            trial.begin()
            trial.note(_BEGUN, True)
        return trial

    def _chosen(self, trial: Trial, live: Any) -> Trial:
        """A trial with its values, of which a worker that was killed may have chosen some."""
        params = {path: live._suggest(path, item) for path, item in self._distributions.items()}
        trial.live, trial.values, trial.remembering = live, self._decoded(params), self.remembering
        return trial

    def _sampler(self, number: int) -> Any:
        return choosing.sampler(self._optuna, self._settings, self._seed, number)

    def _decoded(self, params: Mapping[str, Any]) -> Values:
        """Optuna's values as those of the configuration, in the order of the space."""
        values = {}
        for path, item in self._space.domains.items():
            if path in params:
                label = params[path]
                same = item.values if isinstance(item, Choices) else ()
                values[path] = next((value for value in same if choosing.label(value) == label), label)
        return values

    def _require_same(self, now: Mapping[str, Any]) -> None:
        """Remembers what is swept, or compares it with what was.

        Raises:
            ConfigError: It is another sweep; its trials would not compare.
        """
        then = self._study.user_attrs
        others: Sequence[str] = differences(then, now)
        if others:
            message = f"`{self.folder}` holds a sweep with other {', '.join(others)}, whose trials would not compare"
            raise ConfigError(Problem("sweep", f"{message}; name another folder by --sweep-folder"))
        files = {"files": {**then.get("files", {}), **now["files"]}}
        for key, value in {_IDENTITY: uuid.uuid4().hex, **now, **files}.items():
            if key not in then or (key == "files" and then[key] != value):
                self._study.set_user_attr(key, value)
