"""Starts a run: what `rmldnn config.json` and `rmldnn rerun` have in common."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from rmldnn.config.spec import Spec


def start(
    load: Callable[[], Spec],
    changes: Sequence[str],
    *,
    lenient: bool = False,
    console: Literal["auto", "plain", "rich"] = "auto",
) -> None:
    """Runs a configuration in this process and with the others.

    Args:
        load: Reads and checks its file.
        changes: `key=value` of the command line.
        lenient: Unknown keys of layers are warnings.
        console: How to speak.

    Raises:
        RmldnnError: Whatever a user can mend.
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGUSR1, _leave)
    from rmldnn.engine.ranks import Ranks

    ranks = Ranks.from_environment()
    with ranks.one_voice():
        loaded = load()
    from rmldnn.run import main as run  # torch and Hydra, which a faulty file does without

    run(loaded, changes, ranks, lenient=lenient, console=console)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Ends a run by a signal as by an exception, so that files are closed and other processes let go."""
    sys.exit(128 + number)
