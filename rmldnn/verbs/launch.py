"""`rmldnn launch`: a run on several machines, reached by ssh."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rmldnn.errors import COMMAND_LINE, ConfigError, Problem
from rmldnn.launching import hosts
from rmldnn.verbs import configuration, parser

DESCRIPTION = """\
Runs a configuration on several machines. They are reached by ssh, which must work without a password, and have rmldnn
and the working directory at the same places. The file of hosts has a line for each, with its number of processes:

  node1 slots=4
  node2 slots=4

Options of the run itself are passed on: rmldnn launch --hosts hosts.txt config.json --resume
Ctrl-C, SIGTERM and SIGUSR1 reach all processes; a training saves its state then."""


def main(arguments: Sequence[str]) -> int:
    """Starts the processes; returns the exit code of the first that failed."""
    options = parser("launch", "--hosts FILE [options] CONFIG [KEY=VALUE ...] [options of the run]", DESCRIPTION)
    options.add_argument("--hosts", required=True, metavar="FILE", help="the machines: `name slots=4` on each line")
    options.add_argument("--ssh", default=hosts.SSH, metavar="COMMAND", help=f"what reaches a machine ({hosts.SSH})")
    options.add_argument("--python", default=sys.executable, metavar="PATH", help="Python there that has rmldnn")
    options.add_argument("--port", type=int, metavar="N", help="where the first machine listens (20000 to 29999)")
    options.add_argument("--export", action="append", default=[], metavar="NAME", help="variable that goes along")
    given, run = options.parse_known_args(list(arguments))
    configuration([word for word in run if not word.startswith("-")][:1])  # the machines say what is wrong with it
    if any(word.split("=")[0] == "--procs" for word in run):
        raise ConfigError(Problem("--procs", "the file of hosts says how many; write `slots=`", COMMAND_LINE))
    if given.port is not None and not 0 < given.port < 65536:
        raise ConfigError(Problem("--port", f"must be from 1 to 65535, got {given.port}", COMMAND_LINE))
    found = hosts.read(Path(given.hosts))
    return hosts.start(found, run, ssh=given.ssh, python=given.python, port=given.port, export=given.export)
