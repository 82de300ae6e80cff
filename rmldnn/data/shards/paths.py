"""Which shards a path names: a brace pattern, a glob, a folder, one file, or several of these."""

from __future__ import annotations

import glob
import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rmldnn.data.http import SCHEMES
from rmldnn.data.source import Side, Which
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_MOST = 2**20
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?\}")
_SET = re.compile(r"(?<![a-z])(train|test|val|dev|eval)(?:ing|id|idation|uation)?(?![a-z])")
"""The set that shards are of, in their names."""


def expand(side: Side) -> list[str]:
    """The shards that the path of a side names, in its order; those of a glob or a folder are sorted.

    Parts of the path are separated by `::`. A folder may hold both sets, as `rmldnn shard` writes them: the shards of
    the wanted one are taken.

    Args:
        side: Names the path.

    Raises:
        ConfigError: A part is a command, of a scheme that is not read here, or a folder of several sets of which it is
            not clear which is wanted.
        DataError: There is no shard.
    """
    key = f"data.{side.key}"
    shards = [shard for part in _parts(side.path or "") for shard in _expanded(part, key, side.which)]
    double = next((shard for shard, count in Counter(shards).items() if count > 1), None)
    if double is not None:
        raise ConfigError(Problem(key, f"names the shard `{double}` twice; every sample would be there twice"))
    return shards


def _parts(path: str) -> list[str]:
    return [part for part in path.split("::") if part]


def _expanded(part: str, key: str, which: Which) -> list[str]:
    if part.lstrip().lower().startswith("pipe:") or part.lstrip().startswith("|"):
        raise ConfigError(
            Problem(key, f"`{part}` is a command, and data must not run any; name files or http(s) addresses")
        )
    scheme = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]*):", part)
    if scheme and not part.startswith(SCHEMES) and not Path(part).exists():
        raise ConfigError(
            Problem(
                key,
                f"`{part}` has the scheme `{scheme[1]}:`; shards are files without a scheme, or http:// and https:// "
                "addresses",
            )
        )
    if part.startswith(SCHEMES):
        return _braces(part, key)
    if Path(part).is_dir():
        found = sorted(str(path) for path in Path(part).glob("*.tar") if not path.name.startswith("."))
        if not found:
            raise DataError(f"{key}: no shards in `{part}`; their names must end in .tar")
        return _of_set(found, part, key, which)
    if Path(part).is_file():
        return [part]
    files = []
    for pattern in _braces(part, key):
        found = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - keeps `./`
        missing = [file for file in found or [pattern] if not Path(file).is_file()]
        if missing:
            raise DataError(
                f"{key}: `{missing[0]}` does not exist"
                + (f" (named by `{part}`)" if missing[0] != part else "")
                + f"; paths are relative to the working directory, `{Path.cwd()}`"
            )
        files += found
    return files


def _of_set(shards: Sequence[str], folder: str, key: str, which: Which) -> list[str]:
    """The shards of a folder, or if their names speak of a training set and of another, those of the wanted set."""
    sets: dict[str, list[str]] = {}
    for shard in shards:
        match = _SET.search(Path(shard).name.lower())
        sets.setdefault(match[1] if match else "", []).append(shard)
    if len(sets) == 1:
        return list(shards)
    if len(sets) > 2 or "train" not in sets or "" in sets:
        names = " and ".join(f"`{Path(some[0]).name}`" for some in sets.values())
        raise ConfigError(
            Problem(
                key,
                f"the folder `{folder}` holds shards of several sets, such as {names}; name those that are wanted by a "
                f'pattern, such as "{folder.rstrip("/")}/train-*.tar"',
            )
        )
    wanted, other = sets.pop("train"), next(iter(sets.values()))
    if which == "test":
        wanted, other = other, wanted
    _log.info(f"{key}: {len(wanted)} of the {len(shards)} shards in `{folder}`, the first {Path(wanted[0]).name}")
    return wanted


def _braces(text: str, key: str) -> list[str]:
    """A pattern `{000000..000127}` or `{a,b}` as the list of what it stands for."""
    if "{" not in text:
        return [text]
    import braceexpand

    count = 1
    for first, last, _ in _RANGE.findall(text):
        count *= abs(int(last) - int(first)) + 1
    if count > _MOST:
        raise ConfigError(Problem(key, f"`{text}` names {count} shards, which is more than {_MOST}; correct the range"))
    try:
        return list(braceexpand.braceexpand(text))
    except ValueError:
        raise ConfigError(Problem(key, f"`{text}` has a brace without its partner")) from None
