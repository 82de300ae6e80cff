"""Where outputs go: faults of a place are faults of the configuration if found before the work begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
        reason = "a file is in the place of a folder" if blocked else error.strerror or str(error)
        message = f"cannot write to `{path}`: {reason}; name a place that you may write to"
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
        message = f"cannot write to `{path}`: {error.strerror or error}; make room, or write to another place"
        raise RmldnnError(message) from error
