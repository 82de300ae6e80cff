"""A node's part of `rmldnn launch`: ssh starts it there, and it starts the processes of that node.

It reads numbers of signals from standard input and passes them on; the end of standard input means that whoever started
it is gone.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import sys

import rmldnn
from rmldnn.engine.ranks import Ranks
from rmldnn.errors import LaunchError, RmldnnError
from rmldnn.launching import here


def main(arguments: list[str]) -> int:
    """Starts the processes; returns the exit code of the first that failed."""
    options = argparse.ArgumentParser()
    options.add_argument("--version")
    options.add_argument("--directory")
    options.add_argument("--job")
    options.add_argument("--address")
    for name in ("--port", "--first", "--count", "--world"):
        options.add_argument(name, type=int)
    options.add_argument("command", nargs="+")
    given = options.parse_args(arguments)
    if given.version != rmldnn.__version__:
        raise LaunchError(
            f"{socket.gethostname()} has rmldnn {rmldnn.__version__}, but the run was started with {given.version}; "
            "install the same version everywhere"
        )
    try:
        os.chdir(given.directory)
    except OSError as error:
        raise LaunchError(
            f"{socket.gethostname()} cannot enter `{given.directory}`: {error.strerror}; start from a folder that all "
            "hosts share"
        ) from error
    address = (given.address, given.port)
    return here.start(
        given.command,
        given.count,
        first=given.first,
        world=given.world,
        address=address if given.world > 1 else None,
        job=given.job,
        orders=_Orders(),
    )


class _Orders:
    """Signals that come by standard input; SIGTERM once it has ended."""

    def __init__(self) -> None:
        self._open = True
        self._rest = b""

    def __call__(self) -> int:
        if not self._open or not select.select([0], [], [], 0)[0]:
            return 0
        came = os.read(0, 4096)
        if not came:
            self._open = False
            return signal.SIGTERM
        *lines, self._rest = (self._rest + came).split(b"\n")
        return next((int(line) for line in lines if line.isdigit()), 0)


if __name__ == "__main__":
    Ranks.export_defaults(PYTHONUNBUFFERED="1")
    try:
        sys.exit(main(sys.argv[1:]))
    except RmldnnError as error:
        sys.exit(f"rmldnn: error: {error}")
