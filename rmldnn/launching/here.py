"""The processes of a run on this machine: `rmldnn config.json --procs 4`, and a node's part of a run on several."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence

from rmldnn.engine import cores
from rmldnn.engine.ranks import Ranks, surroundings
from rmldnn.errors import COMMAND_LINE, ConfigError, LaunchError, Problem
from rmldnn.launching import group
from rmldnn.launching.group import Member

AUTO = "auto"
OPTION = "--procs"


def start(
    arguments: Sequence[str],
    count: int,
    *,
    first: int = 0,
    world: int | None = None,
    address: tuple[str, int] | None = None,
    job: str = "",
    orders: Callable[[], int] | None = None,
) -> int:
    """Starts processes, rank 0 in place of this one as far as its output is concerned, and waits for them.

    Args:
        arguments: The command line of each, behind `rmldnn`.
        count: How many.
        first: Rank of the first.
        world: Number of processes of the run, more than `count` if others are on other machines.
        address: Where rank 0 listens; found out by themselves if they are all here.
        job: What tells the run from others.
        orders: Asked for signals to pass on.

    Returns:
        The exit code of the first that failed, else 0.
    """
    world = world or count
    job = job or secrets.token_hex(8)
    left = {name: text for name, text in surroundings().items() if name not in ("MASTER_ADDR", "MASTER_PORT")}
    members = []
    for local in range(count):
        ranks = Ranks(first + local, world, local, count, address, job, ours=True)
        members.append(
            Member(
                f"process {ranks.rank}",
                [sys.executable, "-m", "rmldnn", *arguments],
                {**left, **ranks.variables()},
                speaks=ranks.rank == 0,
            )
        )
    return group.run(members, orders)


def number(text: str) -> int:
    """How many processes `--procs` wants.

    Args:
        text: A number, or `auto`: one for each GPU, else one for each NUMA node (as a rule a socket).

    Raises:
        ConfigError: It is neither.
        LaunchError: A launcher has started several processes already.
    """
    world = Ranks.from_environment().world
    if world > 1:
        raise LaunchError(
            f"{OPTION} starts the processes of a run, but a launcher (mpirun, srun, torchrun, ...) has started {world} "
            f"of this one already; leave out either {OPTION} or the launcher"
        )
    if text == AUTO:
        return _gpus() or len(cores.nodes(cores.usable()))
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(Problem(OPTION, f"must be a positive integer or `{AUTO}`, got `{text}`", COMMAND_LINE))
    return int(text)


def without(arguments: Sequence[str], option: str = OPTION) -> list[str]:
    """A command line without an option and its value."""
    rest = list(arguments)
    while option in rest:
        at = rest.index(option)
        del rest[at : at + 2]
    return [word for word in rest if not word.startswith(option + "=")]


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
