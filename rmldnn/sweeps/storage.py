"""Where a study is kept: a data base or a journal in the sweep's folder, and the locks that workers share it by."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rmldnn.disk import lockable, reason
from rmldnn.errors import ConfigError, Problem, RmldnnError
from rmldnn.output.places import writing
from rmldnn.sweeps.trial import TRIALS

FILES = {"sqlite": "study.db", "journal": "study.journal"}
_NAME = "sweep"
_TIMEOUT = 60
"""Seconds for which the data base may be somebody else's."""


def opened(optuna: Any, folder: Path, wanted: str, *, minimize: bool, pruner: Any) -> Any:
    """Optuna's study in a folder: that of the file that there is, or else a new one.

    Args:
        optuna: The package.
        folder: The sweep's folder.
        wanted: The kind of a new one, `sqlite` or `journal`.
        minimize: Whether the least is the best.
        pruner: Optuna's, which ends trials early.

    Raises:
        ConfigError: The study cannot be read, or is of another kind; or nothing tells of trials that are there.
    """
    kind = _kind(folder, wanted)
    path, storages = folder / FILES[kind], optuna.storages
    try:
        if kind == "journal":
            storage = storages.JournalStorage(storages.journal.JournalFileBackend(str(path), lock_obj=Lock(path)))
        else:
            from sqlalchemy import URL  # which Optuna has with it

            url = URL.create("sqlite", database=str(path)).render_as_string()
            storage = storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _TIMEOUT}})
        direction = "minimize" if minimize else "maximize"
        return optuna.create_study(
            storage=storage, study_name=_NAME, direction=direction, load_if_exists=True, pruner=pruner
        )
    except Exception as error:  # those of SQLAlchemy and of JSON, which are Optuna's affair
        why = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"`{path}` cannot be read: {why}; name another folder by --sweep-folder"
        raise ConfigError(Problem("sweep", message)) from error


def _kind(folder: Path, wanted: str) -> str:
    kept = next((kind for kind, name in FILES.items() if (folder / name).exists()), None)
    if kept is None and any((folder / TRIALS).iterdir()):
        message = f"`{folder / TRIALS}` holds trials, and no {' or '.join(FILES.values())} beside it tells of them"
        raise ConfigError(Problem("sweep", f"{message}; remove `{folder}`, or name another folder by --sweep-folder"))
    if wanted == "journal" and kept == "sqlite":  # the other way round, nobody may have wanted the default
        message = f"`{folder / FILES[kept]}` remembers this sweep, which cannot become a journal; leave `storage` out"
        raise ConfigError(Problem("sweep.storage", f"{message}, or name another folder by --sweep-folder"))
    return kept or wanted


@contextmanager
def remembering(optuna: Any, folder: Path) -> Iterator[None]:
    """Turns what goes wrong with a study that is open into an error that names it.

    Args:
        optuna: The package.
        folder: The sweep's folder.

    Raises:
        RmldnnError: It cannot be written, or read, any more.
    """
    try:
        yield
    except (optuna.exceptions.StorageInternalError, OSError) as error:
        cause = getattr(error.__cause__, "orig", None) or error  # what SQLite said, without the words of SQLAlchemy
        message = f"cannot write the study in `{folder}`: {reason(cause, folder)}; make room, or see to the file"
        raise RmldnnError(f"{message}; the same command goes on") from error


@contextmanager
def alone(folder: Path, what: str = "") -> Iterator[None]:
    """Keeps other workers of the sweep out meanwhile.

    Args:
        folder: The sweep's folder.
        what: What it is that others keep out of; everything by default.

    Raises:
        ConfigError: The folder cannot be written.
    """
    with writing(str(folder), key="--sweep-folder"):
        handle = lockable(folder / f".{what}{'.' if what else ''}lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Lock:
    """Keeps other workers from the journal, and removes half a line that one has left who was killed as it wrote.

    Optuna's own locks are files, which stay behind with such a worker, and half a line spoils what is appended to it.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._handle = -1

    def acquire(self) -> bool:
        """Waits until the journal is this worker's own."""
        self._handle = lockable(self._journal.with_suffix(".lock"))
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        if self._journal.exists() and not _ends_with_a_line(self._journal):
            os.truncate(self._journal, self._journal.read_bytes().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Lets others have it."""
        os.close(self._handle)


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
