"""The processes of a run on several machines, each reached by ssh: `rmldnn launch --hosts hosts.txt config.json`."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rmldnn
from rmldnn.engine.ranks import surroundings
from rmldnn.errors import ConfigError, LaunchError
from rmldnn.launching import group
from rmldnn.launching.group import Member

SSH = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15"
CARRIED = ("CUDA_VISIBLE_DEVICES", "GLOO_", "LD_LIBRARY_PATH", "NCCL_", "OMP_", "PYTHONPATH", "TORCH_", "UCX_")
"""Variables that go along: names, or how they begin."""
_HERE = ("localhost", "127.0.0.1", "::1")
_UNREACHABLE, _ABSENT = 255, 79
"""Exit codes: of ssh itself; of our own if a host lacks rmldnn."""
_LINE = re.compile(r"([\w.@-]+)(?::(\d+)|\s+slots\s*=\s*(\d+))?(?:\s+max[_-]slots\s*=\s*\d+)?")


@dataclass(frozen=True)
class Host:
    """A machine of a run.

    Args:
        name: As ssh and the other machines call it.
        slots: Number of processes there.
    """

    name: str
    slots: int


def read(path: Path) -> list[Host]:
    """Reads a file of hosts as Open MPI and DeepSpeed have it: `name slots=4` on each line, `#` begins a comment.

    MPICH's `name:4` is understood too; without a number it is one process.

    Raises:
        ConfigError: The file cannot be read, or a line of it; all that is wrong is told at once.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read `{path}`: {getattr(error, 'strerror', None) or error}") from error
    hosts: list[Host] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        match = _LINE.fullmatch(words)
        slots = int(match[2] or match[3] or 1) if match else 0
        if match is None or slots < 1:
            wrong.append(f"{path}:{number}: `{words}` is no host; write `name slots=4`")
        elif match[1] in (host.name for host in hosts):
            wrong.append(f"{path}:{number}: {match[1]} is there twice; give it all its slots on one line")
        else:
            hosts.append(Host(match[1], slots))
    if wrong:
        raise ConfigError("\n".join(wrong))
    if not hosts:
        raise ConfigError(f"`{path}` names no host; write one on each line: `name slots=4`")
    if len(hosts) > 1 and hosts[0].name in _HERE:
        raise ConfigError(f"`{path}` begins with {hosts[0].name}, which the other hosts cannot reach; write its name")
    return hosts


def start(
    hosts: Sequence[Host],
    arguments: Sequence[str],
    *,
    ssh: str = SSH,
    python: str = sys.executable,
    port: int | None = None,
    export: Sequence[str] = (),
) -> int:
    """Starts the processes on all hosts, and waits for them.

    Args:
        hosts: The machines; rank 0 is on the first.
        arguments: The command line of each process, behind `rmldnn`.
        ssh: The command that reaches a host, called with its name and a command for the shell there.
        python: The Python there that has rmldnn.
        port: Where rank 0 listens; a random one from 20000 to 29999 by default.
        export: Names of further variables that go along.

    Returns:
        The exit code of the first that failed, else 0.

    Raises:
        LaunchError: There is no such ssh.
    """
    world = sum(host.slots for host in hosts)
    port = port or 20000 + secrets.randbelow(10000)
    carried = surroundings(*CARRIED, *export)
    job = secrets.token_hex(8)
    members, first = [], 0
    for host in hosts:
        words = [python, "-m", "rmldnn.launching.node", "--version", rmldnn.__version__, "--directory", str(Path.cwd())]
        words += ["--job", job, "--address", hosts[0].name.rpartition("@")[2], "--port", str(port)]
        words += ["--first", str(first), "--count", str(host.slots), "--world", str(world), "--", *arguments]
        here = host.name in (*_HERE, socket.gethostname())
        command = words if here else [*shlex.split(ssh), host.name, _remote(words, carried)]
        meanings = {
            _UNREACHABLE: f"{host.name} cannot be reached; `{ssh} {host.name} true` must work without a password",
            _ABSENT: f"`{python}` on {host.name} has no rmldnn; install it there, or name the Python that has it by "
            "--python",
        }
        members.append(Member(host.name, command, speaks=first == 0, obeys=True, meanings={} if here else meanings))
        first += host.slots
    try:
        return group.run(members)
    except FileNotFoundError as error:
        raise LaunchError(f"`{error.filename}` is not installed; `rmldnn launch` reaches hosts by it") from error


def _remote(words: Sequence[str], variables: Mapping[str, str]) -> str:
    """A command for whatever shell a host has."""
    env = ["env", *(f"{name}={text}" for name, text in variables.items())]
    asked = shlex.join([*env, words[0], "-c", "import rmldnn.launching"])
    script = f"{asked} >/dev/null 2>&1 || exit {_ABSENT}; exec {shlex.join([*env, *words])}"
    return shlex.join(["exec", "sh", "-c", script])
