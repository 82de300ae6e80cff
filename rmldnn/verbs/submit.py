"""`rmldnn submit`: a run as a job of SLURM."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rmldnn.config import spec, translate
from rmldnn.config.check import trains
from rmldnn.disk import replacing
from rmldnn.errors import ConfigError, Problem, RmldnnError
from rmldnn.launching import slurm
from rmldnn.launching.slurm import Job
from rmldnn.verbs import configuration, parser

DESCRIPTION = """\
Checks a configuration, writes and shows a batch script, and submits it to SLURM. When the time of the job is over, a
training saves its state, and the job puts itself into the queue again and goes on, as often as it takes.

  rmldnn submit config.json --nodes 4 --gpus-per-node 4 --time 2:00:00   a process for each of 16 GPUs
  rmldnn submit config.json --procs-per-node 2 --time 30 --print         only show the script
  rmldnn submit config.json --time 30 -- --mem=0 --exclusive             with further lines for sbatch"""
_TIME = r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}"


def main(arguments: Sequence[str]) -> int:
    """Writes, shows and submits; returns the exit code."""
    words = list(arguments)
    cut = words.index("--") if "--" in words else len(words)
    options = parser("submit", "CONFIG [KEY=VALUE ...] --time TIME [options] [-- lines for sbatch]", DESCRIPTION)
    options.add_argument("words", nargs="*", metavar="CONFIG KEY=VALUE", help="configuration file, then changes")
    options.add_argument("--time", required=True, help="how long the job may take at once: minutes or h:mm:ss")
    options.add_argument("--nodes", type=int, default=1, metavar="N", help="number of machines (1)")
    options.add_argument("--gpus-per-node", type=int, default=0, metavar="N", help="GPUs, and processes, of each")
    options.add_argument("--procs-per-node", type=int, metavar="N", help="processes on each, if not as many as GPUs")
    options.add_argument("--cpus-per-proc", type=int, default=0, metavar="N", help="cores of each process")
    options.add_argument("--partition", default="", metavar="NAME", help="part of the cluster")
    options.add_argument("--account", default="", metavar="NAME", help="who pays")
    options.add_argument("--lenient", action="store_true", help="unknown keys are warnings, as for a run")
    options.add_argument("--print", action="store_true", dest="show", help="only show the script")
    given = options.parse_intermixed_args(words[:cut])
    file, changes = configuration(given.words)
    folder = _folder(file, changes, lenient=given.lenient)
    job = _job(given, Path(file).stem, words[cut + 1 :])
    command = [sys.executable, "-m", "rmldnn", file, *changes, *(["--lenient"] if given.lenient else [])]
    text = slurm.script(job, command, folder)
    sys.stdout.write(text)
    if not given.show:
        path = Path(f"{job.name}.sbatch")
        try:
            with replacing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RmldnnError(f"cannot write `{path}`: {error.strerror or error}") from error
        sys.stdout.flush()
        print(slurm.submit(path))
    return 0


def _folder(file: str, changes: Sequence[str], *, lenient: bool) -> list[str]:
    """A run folder of the job's own, unless the user wants another, so that it goes on with no other run.

    Raises:
        ConfigError: The configuration is wrong; better now than when the job starts.
    """
    config = translate.compose(spec.load(file, lenient=lenient), changes).values
    if config.get("run_folder") or not trains(config["data"]):
        return []
    name = re.sub(r"[^\w.-]", "_", Path(file).stem)
    return [f'run_folder="runs/{name}-$SLURM_JOB_ID"']


def _job(given: argparse.Namespace, stem: str, more: Sequence[str]) -> Job:
    numbers = {key: getattr(given, key) for key in ("nodes", "gpus_per_node", "procs_per_node", "cpus_per_proc")}
    problems = [
        Problem(f"--{key.replace('_', '-')}", f"must be a positive integer, got {value}", "command line")
        for key, value in numbers.items()
        if value is not None and value < (key in ("nodes", "procs_per_node"))
    ]
    if not re.fullmatch(_TIME, given.time):
        message = f"must be minutes, hours:minutes:seconds or days-hours, got `{given.time}`"
        problems.append(Problem("--time", message, "command line"))
    problems += [
        Problem("--", f"takes lines for sbatch, which begin with `--`, got `{line}`", "command line")
        for line in more
        if not line.startswith("--")
    ]
    if problems:
        raise ConfigError(problems)
    procs = given.procs_per_node or given.gpus_per_node or 1
    name = re.sub(r"[^\w.-]", "_", stem)
    wanted = (procs, given.gpus_per_node, given.cpus_per_proc)
    return Job(name, given.time, given.nodes, *wanted, given.partition, given.account, more)
