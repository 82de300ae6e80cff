"""The section `sweep`: settings of a sweep, and its parameters, which are keys of the configuration with dots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rmldnn.component import unknown_key
from rmldnn.config import catalog, domains
from rmldnn.config.groups import GROUPS
from rmldnn.config.keys import SECTIONS, TOP, Values
from rmldnn.errors import Problem

SECTION = "sweep"
PRESET = "preset"
OWN = ("run_folder", "outfile", "checkpoints.resume", "checkpoints.save", "checkpoints.keep")
"""What the sweep itself gives each trial."""


def check_sweep(section: Values | None) -> Iterator[Problem]:
    """Every problem of the section by itself; whether a run accepts the values is asked when it is swept."""
    settings, parameters = split(section or {})
    yield from catalog.only(SECTION).check(settings, SECTION)
    known = _words()
    for path, given in parameters.items():
        word = re.split(r"[.\[]", path)[0]
        if word not in known or not _PATH.fullmatch(path):
            yield unknown_key(path, SECTION, [*catalog.only(SECTION).parameters, *known])
        elif word == SECTION or path in OWN:
            yield Problem(f"{SECTION}.{path}", "cannot be swept: the sweep gives each trial a place of its own")
        elif "${" in json.dumps(given, default=str):
            yield Problem(f"{SECTION}.{path}", "cannot refer to anything by `${...}`; write what it stands for")
        else:
            yield from domains.faults(f"{SECTION}.{path}", given)


_PATH = re.compile(r"[\w.@/\[\]]+")


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
