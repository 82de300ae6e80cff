"""Which shards a path names: a brace pattern, a glob, a folder, one file, or several of these."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from rmldnn.data.shards.remote import SCHEMES
from rmldnn.errors import ConfigError, DataError, Problem

_MOST = 2**20
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?\}")


def expand(path: str, key: str) -> list[str]:
    """The shards that a path names, in its order; those of a glob or a folder are sorted.

    Args:
        path: What the user wrote; parts are separated by `::`.
        key: The key of `data` that gives it.

    Raises:
        ConfigError: A part is a command, or of a scheme that is not read here.
        DataError: There is no shard.
    """
    shards = [shard for part in _parts(path) for shard in _expanded(part, f"data.{key}")]
    double = next((shard for place, shard in enumerate(shards) if shard in set(shards[:place])), None)
    if double is not None:
        raise ConfigError(
            Problem(f"data.{key}", f"names the shard `{double}` twice; every sample would be there twice")
        )
    return shards


def _parts(path: str) -> list[str]:
    return [part for part in path.split("::") if part]


def _expanded(part: str, key: str) -> list[str]:
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
        return found
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
