"""Starts a run: what `rmldnn config.json` and `rmldnn rerun` have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from rmldnn.engine.leaving import leave_at_once

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
    leave_at_once()
    from rmldnn.engine.ranks import Ranks

    ranks = Ranks.from_environment()
    with ranks.one_voice():
        loaded = load()
    from rmldnn.run import main as run  # torch and Hydra, which a faulty file does without

    run(loaded, changes, ranks, lenient=lenient, console=console)
