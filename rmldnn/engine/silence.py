"""Keeping libraries quiet that write where only the log of the run belongs."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*, errors: bool = False) -> Iterator[int]:
    """Sends standard output to standard error, and drops log records and warnings of libraries.

    It works on file descriptors, since Gloo and c10d write to them from C++.

    Args:
        errors: Drop what goes to either of them, for calls whose exceptions say it all.

    Yields:
        The descriptor that is standard error meanwhile.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    level = logging.root.manager.disable
    kept = {1: os.dup(1), 2: os.dup(2)}
    if errors:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    os.dup2(2, 1)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield kept[2]
    finally:
        logging.disable(level)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)
