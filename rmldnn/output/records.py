"""Turns records of the logger `rmldnn` into lines of a console, leaving every other logger alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

_PREFIXES = {logging.WARNING: "Warning: ", logging.ERROR: "Error: ", logging.CRITICAL: "Error: "}


class LineHandler(logging.Handler):
    """Gives each record to `text` as a line; what is worse than information says so first."""

    def __init__(self, text: Callable[[str], None]) -> None:
        super().__init__()
        self._text = text

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        try:
            self._text(_PREFIXES.get(record.levelno, "") + self.format(record))
        except Exception:
            self.handleError(record)


def connect(text: Callable[[str], None]) -> Callable[[], None]:
    """Sends what the library says to `text`, and only there.

    Records do not travel on to the root logger meanwhile: Hydra gives that one a handler which would write them twice.

    Returns:
        A function that restores the logger; calling it again does nothing.
    """
    logger = logging.getLogger("rmldnn")
    handler = LineHandler(text)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    if level == logging.NOTSET:
        logger.setLevel(logging.INFO)

    def disconnect() -> None:
        if handler in logger.handlers:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate

    return disconnect
