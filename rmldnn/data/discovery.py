"""Finds the files of a source."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from rmldnn.data.source import Side
from rmldnn.disk import absent
from rmldnn.errors import DataError

MADE = ".rmldnn"
"""A file that stands in folders of links to samples, which are no samples of the folder above."""


def discover(side: Side, suffixes: Collection[str], noun: str) -> tuple[str, list[str]]:
    """Finds the files at the path of a side: a folder with everything below it, or a single file.

    Hidden files and folders (`.DS_Store`, `.ipynb_checkpoints`), files with other suffixes, pipes and devices are
    passed over, and so are folders of links that `rmldnn init` made; other links are followed.

    Args:
        side: Names the path.
        suffixes: Lower-case suffixes of the files wanted, such as `.png`; case does not matter.
        noun: What the files are, for messages: `images`.

    Returns:
        The folder as configured, with `/` at its end, and the sorted paths below it with `/`.

    Raises:
        DataError: There is nothing at the path, nothing of the kind, or nothing that may be read.
    """
    path = side.path or ""
    known = ", ".join(sorted(suffixes))
    if Path(path).is_file():
        if Path(path).suffix.lower() not in suffixes:
            raise DataError(f"data.{side.key}: `{path}` is not a file of {noun}; suffixes known here: {known}")
        return f"{Path(path).parent}/".replace("//", "/"), [Path(path).name]
    if Path(path).exists() and not Path(path).is_dir():
        raise DataError(
            f"data.{side.key}: `{path}` is neither a file nor a folder; name a folder of {noun}, or one file"
        )
    if not Path(path).is_dir():
        raise DataError(f"data.{side.key}: {absent(path)}")
    names = sorted(name for name in _below(path, side.key) if os.path.splitext(name)[1].lower() in suffixes)  # noqa: PTH122
    if not names:
        raise DataError(f"data.{side.key}: no {noun} in `{path}` or below; suffixes known here: {known}")
    return f"{path.rstrip('/')}/", names


def denied(error: OSError) -> str:
    """Why a file cannot be opened, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return "it is gone, or a link that leads nowhere; put the file back, or remove the link"
    if isinstance(error, PermissionError):
        return "you are not allowed to; allow it by `chmod +r`, or remove it"
    return f"{(error.strerror or str(error)).lower()}; repair or remove it"


def _below(root: str, key: str) -> Iterator[str]:
    """Paths of all files below `root`, relative to it; a link to a folder above itself is not entered again."""

    def walk(folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110 - a dead link is told when read
                        yield prefix + entry.name
                    elif (
                        entry.is_dir()
                        and (here := os.path.realpath(entry.path)) not in above
                        and not os.path.exists(f"{entry.path}/{MADE}")  # noqa: PTH110
                    ):
                        yield from walk(entry.path, f"{prefix}{entry.name}/", (*above, here))
        except OSError as error:
            raise DataError(f"data.{key}: cannot list `{folder}`: {error.strerror}") from error

    return walk(root, "", (os.path.realpath(root),))
