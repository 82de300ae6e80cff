"""The study of a sweep, which gives workers one trial after the other: the only door to Optuna."""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rmldnn.config.keys import Values
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.places import writing
from rmldnn.sweeps import choosing, storage, turns
from rmldnn.sweeps.identity import differences, identity
from rmldnn.sweeps.record import Record
from rmldnn.sweeps.settings import Settings
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.trial import TRIALS, Trial
from rmldnn.sweeps.turns import NUMBER

log = logging.getLogger("rmldnn")

_BEGUN, _IDENTITY = "begun", "identity"
_MANY = 20
"""Trials of a sweep without a number of its own that is no grid."""


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


class Study(Record):
    """The trials of a sweep, in a folder; several processes may work on one.

    A trial that failed is tried once more by whoever opens its study again, if no other worker is at work: as another
    trial of Optuna's, which has the number, and takes the place, of the first.

    Args:
        folder: The sweep's folder, made if need be.
        settings: Who chooses, and who ends trials early.
        space: What is tried.
        base: The composed configuration.
        retry: Whether trials that failed are tried once more.

    Raises:
        ConfigError: Optuna is not installed, the folder cannot be written, or it is that of another sweep.
    """

    def __init__(self, folder: Path, settings: Settings, space: Space, base: Values, *, retry: bool = True) -> None:
        optuna = required(settings)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._settings = settings
        self._seed = int(base.get("seed", 0))
        wanted, size = settings.num_trials, space.size
        self._grid = settings.sampler == "grid" or (
            settings.sampler == "auto" and size is not None and (wanted is None or wanted >= size)
        )
        self._distributions = {path: choosing.distribution(optuna, item) for path, item in space.domains.items()}
        with writing(str(folder), key="--sweep-folder"):
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        with storage.alone(folder):
            pruner = choosing.pruner(optuna, settings, base, grid=self._grid)
            study = storage.opened(optuna, folder, settings.storage, minimize=settings.minimize, pruner=pruner)
            super().__init__(optuna, study, folder, space, minimize=settings.minimize)
            with self.remembering():
                now = identity(space, settings, base)
                self._require_same(now)
                self._remember(now)
                self._failed = turns.failed(study.get_trials(deepcopy=False)) if retry and not self._others() else {}
                self._tidy()

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
            while True:
                known = self._study.get_trials(deepcopy=False)
                left = self._left(known)
                if left is not None:
                    return left
                position = self._queued(known)
                if position is None:
                    return None
                trial = self._asked(position)
                if not self._is_copy(trial):
                    return self._begun(trial)

    def _left(self, known: Sequence[Any]) -> Trial | None:
        """A trial whose worker was killed, perhaps before it had chosen all values."""
        for found in known:
            trial = self._trial(found.user_attrs[NUMBER])
            if found.state.name == "RUNNING" and trial.take():
                self._study.sampler = self._sampler(found.number)
                live = self._optuna.trial.Trial(self._study, found._trial_id)
                trial.reported |= found.intermediate_values.keys()
                trial.hopeless = bool(trial.reported) and bool(live.should_prune())
                trial.goes_on = _BEGUN in found.user_attrs
                return self._begun(self._chosen(trial, live))
        return None

    def _queued(self, known: Sequence[Any]) -> int | None:
        """Sees to it that a trial waits in Optuna's queue; its position there, or None if there is to be none."""
        waiting = next((found for found in known if found.state.name == "WAITING"), None)
        if waiting is not None:
            return int(waiting.number)
        grid = self._space if self._grid else None
        wanted = turns.following(turns.latest(known), self.total, grid, self._failed)
        if wanted is None:
            return None
        number, params = wanted
        self._study.enqueue_trial(params, {NUMBER: number})  # so that none is ever without its number
        return len(known)

    def _asked(self, position: int) -> Trial:
        """The trial that waits, with its values."""
        self._study.sampler = self._sampler(position)
        live = self._study.ask()
        return self._chosen(self._trial(live.user_attrs[NUMBER]), live)

    def _is_copy(self, trial: Trial) -> bool:
        """Ends a trial before it begins if another one with its values was completed; whether there was one."""
        known = self.latest()
        number = turns.completed(known, trial.live.params)
        if number is not None:
            log.info("Trial %d has the values of trial %d, and is not run", trial.number, number)
            trial.begin()  # what an earlier try has left there is not of this value
            self.tell(trial, self._outcome(known[number]).copied(number))
        return number is not None

    def _begun(self, trial: Trial) -> Trial:
        """A trial in a folder of its own: an empty one, or that in which another worker has begun it."""
        if not trial.goes_on:
            trial.begin()
            trial.note(_BEGUN, True)
        return trial

    def _chosen(self, trial: Trial, live: Any) -> Trial:
        """A trial with its values, of which a worker that was killed may have chosen some."""
        params = {path: live._suggest(path, item) for path, item in self._distributions.items()}
        trial.live, trial.values = live, self._decoded(params)
        return trial

    def _sampler(self, number: int) -> Any:
        return choosing.sampler(self._optuna, self._settings, self._seed, number)

    def _require_same(self, now: Mapping[str, Any]) -> None:
        """Compares what is swept with what was.

        Raises:
            ConfigError: It is another sweep; its trials would not compare.
        """
        others: Sequence[str] = differences(self._study.user_attrs, now)
        if others:
            message = f"`{self.folder}` holds a sweep with other {', '.join(others)}, whose trials would not compare"
            raise ConfigError(Problem("sweep", f"{message}; name another folder by --sweep-folder"))

    def _remember(self, now: Mapping[str, Any]) -> None:
        """Remembers what is swept, as far as that was not known."""
        then = self._study.user_attrs
        files = {"files": {**then.get("files", {}), **now["files"]}}
        for key, value in {_IDENTITY: uuid.uuid4().hex, **now, **files}.items():
            if key not in then or (key == "files" and then[key] != value):
                self._study.set_user_attr(key, value)
