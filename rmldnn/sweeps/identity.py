"""What makes two commands one sweep: parameters, `monitor`, the configuration, what is in the files that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmldnn.config.domains import Choices
from rmldnn.config.groups import at, leaves
from rmldnn.config.keys import Values
from rmldnn.disk import sha256
from rmldnn.sweeps.settings import Settings
from rmldnn.sweeps.space import Space

_HARMLESS = (
    "data.num_workers", "data.test_output_path", "data.hdf5_outfile", "tracking", "debug", "debug_interval",
    "run_folder", "outfile", "checkpoints.save", "checkpoints.interval", "checkpoints.format", "checkpoints.keep",
    "checkpoints.resume", "checkpoints.state_interval", "checkpoints.shard_size",
)  # fmt: skip
"""Keys that may be others when a sweep goes on: trials are compared all the same."""
_NAMING = re.compile(r"layers(\..*)?|multigrid\.networks|checkpoints\.load|data\.(test_)?(input|target)_path")
"""Keys that name files by which trials differ."""
_LARGEST = 64 * 2**20
"""Bytes of a file that is read for it; of a larger one its size has to do."""


def identity(space: Space, settings: Settings, base: Values) -> dict[str, Any]:
    """What is remembered of a sweep, to be compared when it goes on.

    Args:
        space: What is tried.
        settings: The settings of the sweep.
        base: The composed configuration of the first trial.
    """
    return {
        "parameters": {path: repr(item) for path, item in space.domains.items()},
        "monitor": settings.monitor.lower(),
        "configuration": json.loads(json.dumps(base)),
        "files": {name: _content(Path(name)) for name in _files(space, base) if Path(name).is_file()},
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """What is another one, in words; what was not remembered is none.

    Args:
        then: What was remembered.
        now: What is wanted.
    """
    told = [key for key in ("parameters", "monitor") if then.get(key, now[key]) != now[key]]
    told += _differing(then.get("configuration", now["configuration"]), now["configuration"])
    files = then.get("files", {})
    return told + [f"content of `{name}`" for name, now in now["files"].items() if files.get(name, now) != now]


def _differing(then: Values, now: Values) -> Iterator[str]:
    for path in dict.fromkeys([*leaves(then), *leaves(now)]):
        pair = at(then, path), at(now, path)
        harmless = any(f"{path}.".startswith(f"{key}.") for key in _HARMLESS)
        if pair[0] != pair[1] and not harmless and not any(isinstance(value, dict) and value for value in pair):
            yield f"`{path}`"  # what an object holds has paths of its own


def _files(space: Space, base: Values) -> Iterator[str]:
    named = [(path, at(base, path)) for path in leaves(base)]
    named += [(path, list(item.values)) for path, item in space.domains.items() if isinstance(item, Choices)]
    for path, value in named:
        if _NAMING.fullmatch(path):
            yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _content(file: Path) -> str:
    size = file.stat().st_size
    return sha256(file) if size <= _LARGEST else f"{size} bytes"
