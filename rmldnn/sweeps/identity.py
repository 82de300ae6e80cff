"""What makes two commands one sweep: parameters, `monitor`, the configuration, what is in the files that it names."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmldnn.config import catalog
from rmldnn.config.domains import Choices, written
from rmldnn.config.groups import at, leaves
from rmldnn.config.keys import CHOSEN, PLAIN, Values
from rmldnn.config.sweep import OWN
from rmldnn.disk import sha256
from rmldnn.sweeps.settings import Settings
from rmldnn.sweeps.space import Space

_HARMLESS = (
    *OWN, "data.num_workers", "tracking", "debug", "debug_interval", "checkpoints.interval", "checkpoints.format",
    "checkpoints.state_interval", "checkpoints.shard_size",
)  # fmt: skip
"""Keys that may be others when a sweep goes on: trials are compared all the same."""
NETWORKS = re.compile(r"layers(\..*)?|multigrid\.networks|checkpoints\.load")
DATA = re.compile(r"data\.(test_)?(input|target)_path")
"""Keys that name files and folders by which trials differ."""
_LARGEST = 64 * 2**20
"""Bytes of a file that is read for it; of a larger one its size has to do."""
_ENTRIES = 10**5
"""Names in a folder, and in those below it, that are looked at."""


def identity(space: Space, settings: Settings, base: Values) -> dict[str, Any]:
    """What is remembered of a sweep, to be compared when it goes on.

    Args:
        space: What is tried.
        settings: The settings of the sweep.
        base: The composed configuration of the first trial.
    """
    return {
        "parameters": {path: written(dataclasses.asdict(item)) for path, item in space.domains.items()},
        "monitor": settings.monitor.lower(),
        "configuration": json.loads(json.dumps(base)),
        "files": contents([*named(NETWORKS, space, base), *named(DATA, space, base)]),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """What is another one, in words; what was not remembered is none.

    Args:
        then: What was remembered.
        now: What is wanted.
    """
    told = []
    before = then.get("parameters", now["parameters"])
    if before != now["parameters"]:
        both = dict.fromkeys([*before, *now["parameters"]])
        names = ", ".join(f"`{path}`" for path in both if before.get(path) != now["parameters"].get(path))
        told.append(f"parameters ({names or 'in another order'})")
    told += ["monitor"] if then.get("monitor", now["monitor"]) != now["monitor"] else []
    told += _differing(then.get("configuration", now["configuration"]), now["configuration"])
    files = {**now["files"], **then.get("files", {})}
    return told + [f"content of `{name}`" for name, content in now["files"].items() if files[name] != content]


def named(keys: re.Pattern[str], space: Space, base: Values) -> Iterator[str]:
    """Files and folders that trials name by these keys."""
    given = [(path, at(base, path)) for path in leaves(base)]
    given += [(path, list(item.values)) for path, item in space.domains.items() if isinstance(item, Choices)]
    for path, value in given:
        if keys.fullmatch(path):
            yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def contents(names: Iterable[str]) -> dict[str, str]:
    """What is in files and folders that are there: of a file its bytes, of a folder the names and sizes below it."""
    found = {name: Path(name) for name in names}
    told = {name: _file(path) if path.is_file() else _folder(path) for name, path in found.items() if path.exists()}
    return {name: content for name, content in told.items() if content}


def changed(then: Mapping[str, str]) -> list[str]:
    """Names of files that hold something else than they did then; see `contents`."""
    now = contents(then)
    return [name for name in then if now.get(name) != then[name]]


def _differing(then: Values, now: Values) -> Iterator[str]:
    for path in dict.fromkeys([*leaves(then), *leaves(now)]):
        if _unheard_of(path, then, now):
            continue
        pair = at(then, path), at(now, path)
        harmless = any(f"{path}.".startswith(f"{key}.") for key in _HARMLESS)
        if pair[0] != pair[1] and not harmless and not any(isinstance(value, dict) and value for value in pair):
            yield f"`{path}`"  # what an object holds has paths of its own


def _unheard_of(path: str, then: Values, now: Values) -> bool:
    """Whether a key was not known then, as its section had no such key, and does now what was done without it."""
    section, _, key = path.rpartition(".")
    before, kind = at(then, section) if section else then, CHOSEN.get(section)
    if not isinstance(before, dict) or key in before:
        return False
    forms = [catalog.only(group) for group in PLAIN.get(section, ())]
    chosen = catalog.find(kind[0], str(at(now, f"{section}.{kind[1]}"))) if kind else None
    known = [form.defaults[key] for form in (*forms, *([chosen] if chosen else [])) if key in form.defaults]
    return bool(known) and written(known[0]) == written(at(now, path))


def _file(path: Path) -> str:
    size = path.stat().st_size
    return sha256(path) if size <= _LARGEST else f"{size} bytes"


def _folder(path: Path) -> str:
    """Names and sizes of a folder of data; nothing of one in which the run itself may write."""
    if Path.cwd().is_relative_to(path.resolve()):
        return ""
    digest = hashlib.sha256()
    for name, size in itertools.islice(_entries(path), _ENTRIES):
        digest.update(f"{name} {size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _entries(path: Path) -> Iterator[tuple[str, int]]:
    """Files of a folder and of those below it, by name; hidden ones are no data."""
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(place, name)
            if not name.startswith(".") and file.exists():
                yield str(file.relative_to(path)), file.stat().st_size
