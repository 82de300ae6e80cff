"""Where outputs go: faults of a place are faults of the configuration if found before the work begins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from rmldnn.disk import reason
from rmldnn.errors import ConfigError, Problem, RmldnnError


@contextmanager
def writing(path: str, *, key: str) -> Iterator[None]:
    """Turns what goes wrong with a file or folder into an error of the key that names it.

    Args:
        path: The place, for the message.
        key: Where the configuration names it.

    Raises:
        ConfigError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        blocked = isinstance(error, (FileExistsError, NotADirectoryError))
        why = "a file is in the place of a folder" if blocked else reason(error, Path(path))
        message = f"cannot write to `{path}`: {why}; name a place that you may write to"
        raise ConfigError(Problem(key, message)) from error


@contextmanager
def saving(path: str) -> Iterator[None]:
    """Turns what goes wrong with a file during a run into an error that names it.

    Args:
        path: The file.

    Raises:
        RmldnnError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        why = reason(error, Path(path).parent)
        raise RmldnnError(f"cannot write to `{path}`: {why}; make room, or write to another place") from error


def make_folder(path: str | Path, *, key: str) -> Path:
    """Makes a folder, if need be, and tries to write to it: what may be written is not told by permissions alone.

    Args:
        path: The folder.
        key: Where the configuration names it, or a file in it.

    Raises:
        ConfigError: It cannot be made, or not be written to.
    """
    folder = Path(path)
    with writing(str(path), key=key):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(b"x")
    return folder


def require_place(path: str | Path, *, key: str) -> None:
    """Tries to write where a folder is, or where it could be made, and makes nothing.

    Args:
        path: The folder.
        key: Where the configuration names it, or a file in it.

    Raises:
        ConfigError: It could not be made, or not be written to.
    """
    folder = Path(path)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with writing(str(path), key=key), TemporaryFile(dir=folder) as file:
        file.write(b"x")


def require_room(folder: Path, needed: int, *, key: str, what: str, own: str = "") -> None:
    """Refuses a place that lacks room for what a run writes there, before it has computed for hours.

    Args:
        folder: The place, which is there.
        needed: Bytes.
        key: Where the configuration names it.
        what: What is to be written, in the plural.
        own: Pattern of the files in the place that what is written replaces; their room counts as free.

    Raises:
        ConfigError: There is less room.
    """
    usage = shutil.disk_usage(folder)
    if not usage.total:  # a file system that does not tell
        return
    free = usage.free + sum(path.stat().st_size for path in (folder.glob(own) if own else ()) if path.is_file())
    if free < needed:
        from rmldnn.output.tables import bytes_  # rich takes a while to import

        message = (
            f"`{folder}` has room for {bytes_(free)}, but {what} need about {bytes_(needed)}; make room, or name "
            "another place"
        )
        raise ConfigError(Problem(key, message))
