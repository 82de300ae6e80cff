"""Starts a run: what `rmldnn config.json` and `rmldnn rerun` have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from rmldnn.engine.leaving import leave_with_parent, leaving_at_once
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem, StoppedError

if TYPE_CHECKING:
    from rmldnn.config.spec import Spec

TIMEOUT = 120.0
"""Seconds."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Gives a command line the options of runs of several processes."""
    parser.add_argument(
        "--procs", metavar="N", help="start N processes on this machine; auto: one for each GPU or else each socket"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=TIMEOUT,
        help=f"how long to wait for a sign of life from another process ({TIMEOUT:g})",
    )
    parser.add_argument("--local_rank", "--local-rank", help=argparse.SUPPRESS)  # the deepspeed launcher adds it


def processes(
    procs: str | None,
    arguments: Sequence[str],
    load: Callable[[], Spec] | None = None,
    changes: Sequence[str] = (),
) -> int | None:
    """Runs a command line in several processes if it asks for that; their exit code, or None if it does not.

    Args:
        procs: What `--procs` says.
        arguments: The command line.
        load: Reads and checks the configuration, lest processes start for nothing; they do it themselves if absent.
        changes: `key=value` of the command line.

    Raises:
        ConfigError: It is no number, or the configuration is wrong.
        LaunchError: A launcher has started several processes already.
    """
    if procs is None:
        return None
    from rmldnn.launching import here

    count = here.number(procs)
    if count == 1:
        return None
    if load is not None:
        from rmldnn.config import translate

        translate.compose(load(), changes)
    return here.start(here.without(arguments), count)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        message = f"must be a number of seconds greater than 0, got `{text}`"
        raise ConfigError(Problem("--timeout", message, COMMAND_LINE))
    return seconds


def start(
    load: Callable[[], Spec],
    changes: Sequence[str],
    *,
    lenient: bool = False,
    console: Literal["auto", "plain", "rich"] = "auto",
    timeout: float = TIMEOUT,
) -> None:
    """Runs a configuration in this process and with the others.

    Args:
        load: Reads and checks its file.
        changes: `key=value` of the command line.
        lenient: Unknown keys of layers are warnings.
        console: How to speak.
        timeout: Seconds to wait for the other processes.

    Raises:
        RmldnnError: Whatever a user can mend.
    """
    with leaving_at_once():
        from rmldnn.engine.ranks import Ranks

        ranks = Ranks.from_environment()
        if ranks.ours:
            leave_with_parent()
        with ranks.one_voice():
            loaded = load()
        from rmldnn.run import main as run  # torch and Hydra, which a faulty file does without

        try:
            run(loaded, changes, ranks, lenient=lenient, console=console, timeout=timeout)
        except StoppedError as stopped:
            if ranks.rank > 0:  # the first process has said it
                stopped.args = ("",)
            raise
