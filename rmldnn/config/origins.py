"""Where each value of a composed configuration came from: the command line, a preset, a line of the file, a default."""

from __future__ import annotations

from collections.abc import Iterator

from rmldnn.config import groups
from rmldnn.config.describe import as_yaml
from rmldnn.config.groups import GROUPS, ROOT
from rmldnn.config.keys import Values
from rmldnn.config.overrides import Changes
from rmldnn.config.reader import dotted
from rmldnn.config.spec import Spec
from rmldnn.errors import COMMAND_LINE

DEFAULT = "default"
_NAMING = {f"{group.section}.{group.key}": group.section for group in GROUPS.values() if group.section != "data"}
_TYPES = {"data.input_type": "data.type", "data.target_type": "data.type"}
"""Keys that name a component, and where a file may name it in short."""


class Origins:
    """Tells where values come from.

    Args:
        file: The file.
        changes: The command line.
    """

    def __init__(self, file: Spec, changes: Changes) -> None:
        lines = (*file.document.lines, *file.document.elsewhere)
        places = {dotted(location[1:]): file.document.place(location) for location in lines if location[:1] == (ROOT,)}
        self._file = {path: place for path, place in places.items() if path}
        self._presets = {path: named.at(path) for named in changes.named for path in groups.leaves(named.values)}
        self._changes = changes.keys

    def of(self, path: str) -> str:
        """Where the value at a path comes from; the path begins with `neural_network`."""
        path = path.removeprefix(f"{ROOT}.")
        if any(f"{path}.".startswith(f"{key}.") for key in self._changes):
            return COMMAND_LINE
        for known in (self._presets, self._file):
            for name in (path, _NAMING.get(path, path), _TYPES.get(path, path)):
                if name in known:
                    return known[name]
        return DEFAULT


def with_origins(values: Values, origins: Origins) -> str:
    """A configuration as YAML, with a comment behind each value that says where it comes from."""
    lines = list(_lines(values, origins, "", 0))
    widest = min(max((len(text) for text, _ in lines), default=0), _WIDEST)
    return "".join(f"{text:<{widest}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


_WIDEST = 60
"""Columns of values before their comments; longer lines push theirs out."""
_ENDLESS = 10**6
"""Columns of a text, which stays in one line."""


def _lines(values: Values, origins: Origins, path: str, depth: int) -> Iterator[tuple[str, str]]:
    margin = "  " * depth
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield f"{margin}{key}:", ""
            yield from _lines(value, origins, here, depth + 1)
            continue
        first, *rest = as_yaml({key: value}, _ENDLESS).splitlines()
        yield f"{margin}{first}", origins.of(here)
        yield from ((f"{margin}{line}", "") for line in rest)
