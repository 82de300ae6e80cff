"""The processes of a run on several machines, each reached by ssh: `rmldnn launch --hosts hosts.txt config.json`."""

from __future__ import annotations

import base64
import re
import secrets
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rmldnn
from rmldnn.engine.ranks import surroundings
from rmldnn.errors import COMMAND_LINE, ConfigError, LaunchError, Problem
from rmldnn.launching import group
from rmldnn.launching.group import Member

SSH = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15"
CARRIED = ("CUDA_VISIBLE_DEVICES", "GLOO_", "LD_LIBRARY_PATH", "NCCL_", "OMP_", "PYTHONPATH", "TORCH_", "UCX_")
"""Variables that go along: names, or how they begin if that ends with `_`."""
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
        export: Names of further variables that go along, none of which is shown to other users of a machine.

    Returns:
        The exit code of the first that failed, else 0.

    Raises:
        ConfigError: A variable that is to go along is not set.
        LaunchError: There is no such ssh.
    """
    world = sum(host.slots for host in hosts)
    port = port or 20000 + secrets.randbelow(10000)
    variables = _variables(export)
    job = secrets.token_hex(8)
    members, first = [], 0
    for host in hosts:
        words = [python, "-m", "rmldnn.launching.node", "--version", rmldnn.__version__, "--directory", str(Path.cwd())]
        words += ["--job", job, "--address", hosts[0].name.rpartition("@")[2], "--port", str(port)]
        words += ["--first", str(first), "--count", str(host.slots), "--world", str(world), "--", *arguments]
        meanings = {
            _ABSENT: f"`{python}` on {host.name} is no Python that has rmldnn; install it there, or name the Python "
            "that has it by --python",
        }
        if host.name in (*_HERE, socket.gethostname()):
            command = _shell(words)
        else:
            command = [*shlex.split(ssh), host.name, shlex.join(["exec", *_shell(words)])]
            meanings[_UNREACHABLE] = (
                f"{host.name} cannot be reached; `{ssh} {host.name} true` must work without a password"
            )
        title = f"rmldnn on {host.name}"
        members.append(Member(host.name, command, None, first == 0, True, meanings, variables, title))
        first += host.slots
    try:
        return group.run(members)
    except FileNotFoundError as error:
        raise LaunchError(f"`{error.filename}` is not installed; `rmldnn launch` reaches hosts by it") from error


def _shell(words: Sequence[str]) -> list[str]:
    """A command that is run with the variables that it reads first."""
    asked = shlex.join([words[0], "-c", "import rmldnn.launching"])
    told = 'read -r told; eval "$(printf %s "$told" | base64 -d)"'
    return ["sh", "-c", f"{told}; {asked} </dev/null >/dev/null 2>&1 || exit {_ABSENT}; exec {shlex.join(words)}"]


def _variables(export: Sequence[str]) -> bytes:
    """A line that tells a shell which variables to set; command lines can be seen by everybody, this cannot.

    Raises:
        ConfigError: One of those that are to go along is not set.
    """
    names = (*CARRIED, *export)
    begins = tuple(name for name in CARRIED if name.endswith("_"))
    found = {name: text for name, text in surroundings().items() if name in names or name.startswith(begins)}
    if absent := [name for name in export if name not in found]:
        raise ConfigError([Problem("--export", f"`{name}` is not set here", COMMAND_LINE) for name in absent])
    lines = [f"export {name}={shlex.quote(text)}" for name, text in found.items()]
    return base64.b64encode("\n".join(lines).encode(errors="surrogateescape")) + b"\n"
