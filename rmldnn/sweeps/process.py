"""The process of a trial, as the system has it: how it is started, and when its folder is free."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from rmldnn.disk import lockable
from rmldnn.engine.leaving import leave_with_parent
from rmldnn.errors import RmldnnError
from rmldnn.output.run_folder import LOCK


def started(
    words: Sequence[str], log: IO[bytes], environment: Mapping[str, str], part: Collection[int] | None
) -> subprocess.Popen[bytes]:
    """A process that writes to a log, and that a worker who is killed takes along, after it has saved its state.

    Args:
        words: The command.
        log: Takes its output.
        environment: Its variables.
        part: Cores that it has to keep to; all that there are if None.

    Raises:
        RmldnnError: The system has no room for one.
    """

    def ready() -> None:
        leave_with_parent()
        if part is not None:
            os.sched_setaffinity(0, part)

    try:
        return subprocess.Popen(  # noqa: S603 - a program of ours
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches it once and by us
            preexec_fn=ready,
        )
    except OSError as error:
        message = f"cannot start the process of a trial: {error.strerror or error}; take fewer --workers, or make room"
        raise RmldnnError(f"{message}; the same command goes on") from error


def require_free(folder: Path, patience: float) -> None:
    """Waits for a run that is just leaving a folder.

    Args:
        folder: Its run folder.
        patience: Seconds.

    Raises:
        RmldnnError: It does not.
    """
    handle = lockable(folder / LOCK)
    deadline = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    message = f"an earlier run still writes to `{folder}`; end it, then give the command again"
                    raise RmldnnError(message) from error
                time.sleep(0.2)
    finally:
        os.close(handle)
