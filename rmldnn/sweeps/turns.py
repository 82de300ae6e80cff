"""Whose turn it is: a new trial, the next combination of a grid, or one that failed before; on Optuna's trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rmldnn.config.keys import Values
from rmldnn.sweeps import choosing
from rmldnn.sweeps.space import Space

NUMBER = "number"
"""What a trial of Optuna's remembers as its number in the sweep."""


_TRIES = 3
"""How often a trial that fails is tried, by however many commands."""


def latest(trials: Iterable[Any]) -> dict[int, Any]:
    """The trial of Optuna's that counts, by number: the last one."""
    return {found.user_attrs[NUMBER]: found for found in trials}


def failed(trials: Iterable[Any]) -> dict[int, Any]:
    """Those of the latest that failed and may be tried once more, by number; least tried ones first."""
    trials = list(trials)
    tries = Counter(found.user_attrs[NUMBER] for found in trials)
    known = {
        number: found
        for number, found in latest(trials).items()
        if found.state.name == "FAIL" and tries[number] < _TRIES
    }
    return {number: known[number] for number in sorted(known, key=lambda number: (tries[number], number))}


def given_up(trials: Iterable[Any]) -> int:
    """How many trials have failed as often as any is tried."""
    trials = list(trials)
    fails = [number for number, found in latest(trials).items() if found.state.name == "FAIL"]
    return len(fails) - len(failed(trials))


def following(
    known: Mapping[int, Any], total: int, grid: Space | None, failed: Mapping[int, Any]
) -> tuple[int, Values] | None:
    """Number of the trial whose turn it is, and the values that it has to have; None if there is none.

    Args:
        known: The trials that there are; see `latest`.
        total: How many there are to be.
        grid: The space, if all of its combinations are wanted.
        failed: Those that failed before, and are tried once more.
    """
    if len(known) < total:
        params = _combination(grid, known) if grid is not None else {}
        if params is not None:
            return max(known, default=-1) + 1, params
    for number, found in failed.items():
        if known[number].number == found.number:
            return number, dict(found.params)
    return None


def _combination(space: Space, known: Mapping[int, Any]) -> Values | None:
    """The first combination that there is no trial of; one that was just taken may have no values yet."""
    tried = [{**found.system_attrs.get("fixed_params", {}), **found.params} for found in known.values()]
    for values in space.grid():
        params = {path: choosing.label(value) for path, value in values.items()}
        if params not in tried:
            return params
    return None


def completed(known: Mapping[int, Any], params: Mapping[str, Any]) -> int | None:
    """Number of a trial that was run and completed with these values, if there is one."""
    return next(
        (
            number
            for number, found in known.items()
            if found.state.name == "COMPLETE" and found.user_attrs.get("copy_of") is None and found.params == params
        ),
        None,
    )
