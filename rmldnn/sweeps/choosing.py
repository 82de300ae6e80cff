"""Who chooses the values of trials, and who ends trials that promise little; Optuna's, which the study imports."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

from rmldnn.config.domains import Choices, Domain, written
from rmldnn.config.keys import Values
from rmldnn.errors import ConfigError, Problem
from rmldnn.sweeps.settings import Settings

_PACKAGES = {"gp": "scipy", "qmc": "scipy", "cmaes": "cmaes"}
"""What samplers need besides Optuna."""


def require_packages(name: str) -> None:
    """Refuses a sampler that cannot work here, before the trials that it would have nothing to do with.

    Raises:
        ConfigError: A package is not installed.
    """
    package = _PACKAGES.get(name)
    if package is not None and find_spec(package) is None:
        message = f"`{name}` needs a package that is not installed; type: pip install {package}"
        raise ConfigError(Problem("sweep.sampler", message))


def sampler(optuna: Any, settings: Settings, seed: int, number: int) -> Any:
    """Who chooses the values of a trial: the same on a sweep that goes on, and not what another worker chooses.

    Args:
        optuna: The package.
        settings: The settings of the sweep.
        seed: Of the run.
        number: Of the trial.
    """
    samplers, startup = optuna.samplers, settings.num_startup_trials
    own = (seed * 1_000_003 + number) % 2**32
    match settings.sampler:
        case "random":
            return samplers.RandomSampler(own)
        case "gp":
            return samplers.GPSampler(seed=own, n_startup_trials=max(startup, 1))
        case "cmaes":
            return samplers.CmaEsSampler(seed=own, n_startup_trials=max(startup, 1))
        case "qmc":
            return samplers.QMCSampler(scramble=True, seed=seed)  # one sequence, of which each trial takes a point
        case _:
            return samplers.TPESampler(seed=own, n_startup_trials=startup)


def pruner(optuna: Any, settings: Settings, base: Values, *, grid: bool) -> Any:
    """Who ends trials early.

    Args:
        optuna: The package.
        settings: The settings of the sweep.
        base: The composed configuration.
        grid: Whether all combinations are wanted.
    """
    pruners, least = optuna.pruners, settings.min_epochs
    match settings.pruner:
        case "hyperband":
            longest = max(int(base.get("num_epochs", 1)), least)
            return pruners.HyperbandPruner(min_resource=least, max_resource=longest)
        case "successive_halving":
            return pruners.SuccessiveHalvingPruner(min_resource=least)
        case "median" | "auto" if settings.pruner == "median" or not grid:
            return pruners.MedianPruner(settings.num_startup_trials, n_warmup_steps=least)
        case _:
            return pruners.NopPruner()


def distribution(optuna: Any, item: Domain) -> Any:
    """A domain as Optuna has it."""
    made = optuna.distributions
    if isinstance(item, Choices):
        return made.CategoricalDistribution([label(value) for value in item.values])
    if item.whole:
        return made.IntDistribution(int(item.low), int(item.high), log=item.log, step=int(item.step or 1))
    return made.FloatDistribution(item.low, item.high, log=item.log, step=item.step)


def label(value: Any) -> Any:
    """What a value of a list is called in the study, which knows texts and numbers only, and takes true for 1.

    A text that reads like something else has quotes: no two values are called alike.
    """
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return value if isinstance(value, str) and not _is_json(value) else written(value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
