"""What remembers the trials of a sweep, and gives workers one after the other: the only door to Optuna."""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rmldnn.config.domains import Choices
from rmldnn.config.groups import leaves
from rmldnn.config.keys import Values
from rmldnn.errors import ConfigError, Problem
from rmldnn.output.places import writing
from rmldnn.sweeps import choosing
from rmldnn.sweeps.journal import Lock
from rmldnn.sweeps.settings import Settings
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.trial import TRIALS, Outcome, Trial

_FILES = {"sqlite": "study.db", "journal": "study.journal"}
_NAME = "sweep"
_MANY = 20
"""Trials of a sweep without a number of its own that is no grid."""
_HARMLESS = ("data.num_workers", "tracking", "debug", "run_folder", "outfile", "checkpoints")
"""Keys that may be others when a sweep goes on: trials are compared all the same."""
_PATIENCE = 60
"""Seconds for which the data base may be somebody else's."""


class Study:
    """The trials of a sweep, in a folder; several processes may work on one.

    Args:
        folder: The sweep's folder, made if need be.
        settings: Who chooses, and who ends trials early.
        space: What is tried.
        base: The composed configuration.

    Raises:
        ConfigError: Optuna is not installed, the folder cannot be written, or it is that of another sweep.
    """

    def __init__(self, folder: Path, settings: Settings, space: Space, base: Values) -> None:
        try:
            import optuna
        except ImportError as error:
            message = "sweeps need a package that is not installed; type: pip install 'rmldnn[sweep]'"
            raise ConfigError(Problem("sweep", message)) from error
        choosing.require_packages(settings.sampler)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._settings, self._space = settings, space
        self._seed = int(base.get("seed", 0))
        self._grid = settings.sampler == "grid" or (
            settings.sampler == "auto" and space.size is not None and settings.num_trials is None
        )
        self.folder = folder
        self._distributions = {path: choosing.distribution(optuna, item) for path, item in space.domains.items()}
        with writing(str(folder), key="--sweep-folder"):
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        with self.alone():
            self._study = self._opened(choosing.pruner(optuna, settings, base, grid=self._grid))
            self._require_same(space, settings, base)
            if self._grid:
                self._enqueue()

    @property
    def total(self) -> int:
        """How many trials the sweep is to have."""
        if self._grid and self._space.size is not None:
            return min(self._space.size, self._settings.num_trials or self._space.size)
        return self._settings.num_trials or _MANY

    def next(self) -> Trial | None:
        """A trial to run: one that a worker has left when it was killed, or else a new one; None if there is none."""
        with self.alone():
            states = self._optuna.trial.TrialState
            known = self._study.get_trials(deepcopy=False)
            for found in known:
                trial = Trial(found.number, {}, self.folder)
                if found.state is states.RUNNING and trial.take():
                    self._study.sampler = self._sampler(found.number)
                    live = self._optuna.trial.Trial(self._study, found._trial_id)
                    trial.reported |= found.intermediate_values.keys()
                    trial.hopeless = bool(trial.reported) and bool(live.should_prune())
                    trial.goes_on = True
                    return self._chosen(trial, live)
            if sum(1 for found in known if found.state is not states.WAITING) >= self.total:
                return None
            self._study.sampler = self._sampler(len(known))
            live = self._study.ask()
            trial = Trial(live.number, {}, self.folder)
            trial.take()
            return self._chosen(trial, live)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Notes how a trial has ended, and lets go of it."""
        for key, value in outcome.facts().items():
            trial.note(key, value)
        states = self._optuna.trial.TrialState
        state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[outcome.state]
        self._study.tell(trial.number, outcome.value if outcome.state == "complete" else None, state)
        trial.release()

    def trials(self) -> list[tuple[Trial, Outcome]]:
        """All trials that have ended, by number."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        found = []
        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.state.name in names:
                facts = {key: value for key, value in frozen.user_attrs.items() if key in Outcome.FACTS}
                seen = frozen.intermediate_values.values() if frozen.state.name == "PRUNED" else ()
                value = (min if self._settings.minimize else max)(seen, default=frozen.value)
                found.append(
                    (
                        Trial(frozen.number, self._decoded(frozen.params), self.folder),
                        Outcome(names[frozen.state.name], value, **facts),
                    )
                )
        return found

    @property
    def optunas(self) -> Any:
        """Optuna's own study, for its drawings."""
        return self._study

    def _chosen(self, trial: Trial, live: Any) -> Trial:
        """A trial with its values, of which a worker that was killed may have chosen some."""
        params = {path: live._suggest(path, item) for path, item in self._distributions.items()}
        trial.live, trial.values = live, self._decoded(params)
        return trial

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other workers of the sweep out meanwhile."""
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _opened(self, pruner: Any) -> Any:
        """Optuna's study, of the file that there is, or of one of the kind that the settings want."""
        kept = [kind for kind, name in _FILES.items() if (self.folder / name).exists()]
        kind = kept[0] if kept else self._settings.storage
        path = self.folder / _FILES[kind]
        storages = self._optuna.storages
        try:
            if kind == "journal":
                backend = storages.journal.JournalFileBackend(str(path), lock_obj=Lock(path))
                storage = storages.JournalStorage(backend)
            else:
                storage = storages.RDBStorage(
                    f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": _PATIENCE}}
                )
            direction = "minimize" if self._settings.minimize else "maximize"
            return self._optuna.create_study(
                storage=storage, study_name=_NAME, direction=direction, load_if_exists=True, pruner=pruner
            )
        except Exception as error:  # those of SQLAlchemy and of JSON, which are Optuna's affair
            why = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"`{path}` cannot be read: {why}; name another folder by --sweep-folder"
            raise ConfigError(Problem("sweep", message)) from error

    def _sampler(self, number: int) -> Any:
        return choosing.sampler(self._optuna, self._settings, self._seed, number)

    def _enqueue(self) -> None:
        """Puts all combinations of the grid into the queue from which trials are taken first."""
        known = {trial.number for trial in self._study.get_trials(deepcopy=False)}
        for number, values in enumerate(self._space.grid()):
            if number >= self.total:
                break
            if number not in known:
                encoded = {path: choosing.label(value) for path, value in values.items()}
                self._study.enqueue_trial(encoded)

    def _decoded(self, params: Mapping[str, Any]) -> Values:
        """Optuna's values as those of the configuration, in the order of the space."""
        values = {}
        for path, item in self._space.domains.items():
            if path in params:
                label = params[path]
                same = item.values if isinstance(item, Choices) else ()
                values[path] = next((value for value in same if choosing.label(value) == label), label)
        return values

    def _require_same(self, space: Space, settings: Settings, base: Values) -> None:
        """Remembers what is swept, or compares it with what was.

        Raises:
            ConfigError: It is another sweep; its trials would not compare.
        """
        now = {
            "parameters": {path: repr(item) for path, item in space.domains.items()},
            "monitor": settings.monitor.lower(),
            "grid": self._grid,
            "configuration": json.loads(json.dumps(base)),
        }
        then = self._study.user_attrs
        for key, value in now.items():
            if key not in then:
                self._study.set_user_attr(key, value)
        others = [key for key in ("parameters", "monitor", "grid") if key in then and then[key] != now[key]]
        others += _differing(then.get("configuration", now["configuration"]), now["configuration"])
        if others:
            message = f"`{self.folder}` holds a sweep with other {', '.join(others)}, whose trials would not compare"
            raise ConfigError(Problem("sweep", f"{message}; name another folder by --sweep-folder"))


def _differing(then: Values, now: Values) -> Sequence[str]:
    paths = dict.fromkeys([*leaves(then), *leaves(now)])
    return [f"`{path}`" for path in paths if not path.startswith(_HARMLESS) and _at(then, path) != _at(now, path)]


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values
