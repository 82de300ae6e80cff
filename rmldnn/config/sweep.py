"""The section `sweep`: settings of a sweep, and its parameters, which are keys of the configuration with dots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import unknown_key
from rmldnn.config import catalog, domains
from rmldnn.config.groups import GROUPS, PRESET
from rmldnn.config.keys import SECTIONS, TOP, Values
from rmldnn.errors import Problem

SECTION = "sweep"
FOLDER = "--sweep-folder"
OWN = {
    "run_folder": FOLDER,
    "outfile": FOLDER,
    "checkpoints.save": FOLDER,
    "checkpoints.resume": FOLDER,
    "checkpoints.keep": f"{SECTION}.monitor",
    "data.test_output_path": FOLDER,
    "data.hdf5_outfile": FOLDER,
}
"""What the sweep itself sets in each trial, and what users write for it."""
_PATH = re.compile(r"[\w.@/\[\]]+")


def own(path: str) -> str | None:
    """What users write for a key that the sweep sets in each trial; None if it does not."""
    return next((told for key, told in OWN.items() if f"{path}.".replace("[", ".[").startswith(f"{key}.")), None)


def check_sweep(section: Values | None) -> Iterator[Problem]:
    """Every problem of the section by itself; whether a run accepts the values is asked when it is swept."""
    settings, parameters = split(section or {})
    yield from catalog.only(SECTION).check(settings, SECTION)
    known = _words()
    for path, given in parameters.items():
        word = re.split(r"[.\[]", path)[0]
        if word not in known or not _PATH.fullmatch(path):
            yield unknown_key(path, SECTION, [*catalog.only(SECTION).parameters, *known])
        elif word == SECTION:
            yield _doubled(path.removeprefix(f"{SECTION}."))
        elif told := own(path):
            yield Problem(f"{SECTION}.{path}", f"cannot be swept: the sweep sets it in each trial (`{told}`)")
        elif "${" in json.dumps(given, default=str):
            yield Problem(f"{SECTION}.{path}", "cannot refer to anything by `${...}`; write what it stands for")
        else:
            yield from domains.faults(f"{SECTION}.{path}", given)


def _doubled(path: str) -> Problem:
    """The problem of `sweep.optimizer=adam,sgd`."""
    if path in catalog.only(SECTION).parameters:
        return Problem(f"{SECTION}.{path}", "cannot be swept: it is a setting of the sweep; give it one value")
    return Problem(f"{SECTION}.{path}", f"takes no `{SECTION}.` before it on the command line; write {path}=a,b")


def split(section: Mapping[str, Any]) -> tuple[Values, Values]:
    """The settings of a sweep, and its parameters: whatever else is written there."""
    form = catalog.only(SECTION)
    settings = {key: value for key, value in section.items() if key in form.parameters}
    return settings, {key: value for key, value in section.items() if key not in settings}


def _words() -> set[str]:
    """First words of what a command line may set."""
    keys = {key for group in TOP for key in catalog.only(group).parameters}
    chosen = {word.partition(".")[0] for group in GROUPS.values() for word in group.words if "@" not in word}
    return {*keys, *SECTIONS, *chosen, PRESET}
