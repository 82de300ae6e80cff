"""`rmldnn submit`: a run as a job of SLURM."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmldnn.config import parts, translate
from rmldnn.config.samples import trains
from rmldnn.disk import replacing
from rmldnn.errors import COMMAND_LINE, ConfigError, Problem, RmldnnError
from rmldnn.launching import slurm
from rmldnn.launching.slurm import Job
from rmldnn.networks import keras
from rmldnn.output.run_folder import RUNS, STATES
from rmldnn.verbs import add_configuration, configuration, loaded_configuration, parser, plugged, sweeping

DESCRIPTION = """\
Checks a configuration, writes and shows a batch script, and submits it to SLURM. When the time of the job is over, a
training saves its state, and the job puts itself into the queue again and goes on, as often as it takes.

  rmldnn submit config.json --nodes 4 --gpus-per-node 4 --time 2:00:00   a process for each of 16 GPUs
  rmldnn submit config.json --procs-per-node 2 --time 30 --print         only show the script
  rmldnn submit config.json --time 30 -- --mem=0 --exclusive             with further lines for sbatch
  rmldnn submit config.json -m --time 2:00:00 -- --array=1-8             a sweep, whose trials eight jobs share out
  rmldnn submit config.json -m --time 2:00:00 --gpus-per-node 4 --workers auto   ... or four GPUs of one job"""
_CORES = 8
"""Of each process beside GPUs: one that learns, and some that read; many clusters would give it a single one."""


def main(arguments: Sequence[str]) -> int:
    """Writes, shows and submits; returns the exit code."""
    words = sweeping.in_our_words(arguments, "submit")
    cut = words.index("--") if "--" in words else len(words)
    options = parser("submit", "CONFIG [KEY=VALUE ...] --time TIME [options] [-- lines for sbatch]", DESCRIPTION)
    add_configuration(options)
    options.add_argument("--time", required=True, help="how long the job may take at once: minutes or h:mm:ss")
    options.add_argument("--nodes", type=int, default=1, metavar="N", help="number of machines (1)")
    options.add_argument("--gpus-per-node", type=int, default=0, metavar="N", help="GPUs, and processes, of each")
    options.add_argument("--procs-per-node", type=int, metavar="N", help="processes on each, if not as many as GPUs")
    options.add_argument("--cpus-per-proc", type=int, metavar="N", help=f"cores of each process ({_CORES} beside GPUs)")
    options.add_argument("--partition", default="", metavar="NAME", help="part of the cluster")
    options.add_argument("--account", default="", metavar="NAME", help="who pays")
    options.add_argument("--image", metavar="FILE", help="run in this image of Apptainer, a file `.sif`")
    options.add_argument("--print", action="store_true", dest="show", help="only show the script")
    sweeping.add_options(options)
    sweeping.add_workers(options)
    options.add_argument("--procs", metavar="N", help="processes of each trial of a sweep (1)")
    given = options.parse_intermixed_args(words[:cut])
    sweeping.require_multirun(given, only=("--procs",))
    file, changes = configuration(given.words)
    config = _swept(given, file, words[cut + 1 :]) if given.multirun else _checked(given)
    job = _job(given, Path(file or "rmldnn").stem, words[cut + 1 :])
    modules, _ = plugged(given.words)
    command = [*_program(given), *([file] if file else []), *modules, *changes]
    command += [*([f"--app={given.app}"] if given.app else []), *(["--lenient"] if given.lenient else [])]
    if given.multirun:
        folder = sweeping.folder(given, file)
        command += [f"--{key}={value}" for key in ("workers", "procs") if (value := getattr(given, key))]
        text = slurm.script(job, [*command, "-m", f"--sweep-folder={folder}"], (), sweeping.progress(folder))
    else:
        text = slurm.script(job, command, *_folder(job.name, config))
    path = Path(f"{job.name}.sbatch")
    if not given.show:
        _require_ours(path)
    sys.stdout.write(text)
    if not given.show:
        try:
            with replacing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RmldnnError(f"cannot write `{path}`: {error.strerror or error}") from error
        sys.stdout.flush()
        print(slurm.submit(path))
    return 0


def _checked(given: argparse.Namespace) -> dict[str, Any]:
    """The composed configuration, after a look at its networks.

    Raises:
        ConfigError: The configuration or a network file is wrong; better now than when the job starts.
    """
    config = translate.compose(*loaded_configuration(given)).values
    if config.get("layers") is not None:
        parts.each(config["layers"], keras.read)
    return config


def _swept(given: argparse.Namespace, file: str | None, extra: Sequence[str]) -> dict[str, Any]:
    """The composed configuration of a sweep's first trial; warns of a storage that several jobs may not share.

    Args:
        given: The command line.
        file: The configuration file.
        extra: What goes to sbatch as it is.

    Raises:
        ConfigError: The sweep is wrong, its trials would be shared out among the processes of a job, or its folder is
            that of another sweep.
    """
    from rmldnn.sweeps import settings, space
    from rmldnn.sweeps.study import Study

    sweeping.require_numbers(given)
    if given.nodes > 1 or (given.procs_per_node or 1) > 1:
        message = "a sweep's job is one process; `-- --array=1-8` submits eight jobs, which share out the trials"
        raise ConfigError(Problem("-m", message, COMMAND_LINE))
    if given.gpus_per_node > 1 and not given.workers and not given.procs:
        message = f"one trial would leave GPUs idle; add `--workers auto`, or `--procs {given.gpus_per_node}`"
        raise ConfigError(Problem("--gpus-per-node", message, COMMAND_LINE))
    wanted = space.read(*loaded_configuration(given))
    place = sweeping.folder(given, file)
    if place.is_dir() and not given.show and not given.image:  # which may have packages that are not here
        Study(place, settings.sweep(**wanted.settings), wanted.space, wanted.base, retry=False)
    if (
        any(word.startswith(("--array", "-a")) for word in extra)
        and wanted.settings.get("storage", "sqlite") == "sqlite"
    ):
        print(
            "Warning: several jobs may not share SQLite on file systems of clusters; add sweep.storage=journal",
            file=sys.stderr,
        )
    return wanted.base


def _program(given: argparse.Namespace) -> list[str]:
    """The rmldnn of this environment, or that of an image.

    Raises:
        ConfigError: There is no such image.
    """
    if given.image is None:
        return [sys.executable, "-m", "rmldnn"]
    if not Path(given.image).is_file():
        message = f"`{given.image}` is no file; `apptainer build` makes one (docs/containers.md)"
        raise ConfigError(Problem("--image", message, COMMAND_LINE))
    return [*slurm.container(Path(given.image), gpus=given.gpus_per_node > 0), "rmldnn"]


def _folder(name: str, config: dict[str, Any]) -> tuple[list[str], str]:
    """What a job gets for its run folder, and a command of the shell that tells what the run has saved.

    The folder is the job's own, so that it goes on with no other run, unless the user wants another.
    """
    if not trains(config["data"]):
        if not config["data"].get("hdf5_outfile"):
            return [], "true"
        target = Path(config["data"]["hdf5_outfile"])  # what is put together goes on; notes beside it say where
        return [], f"cat {shlex.quote(str(target.with_name(f'.{target.name}.part.')))}*.json 2>/dev/null"
    own = f'"{RUNS}/{name}-$SLURM_JOB_ID"'
    mine = config.get("run_folder")
    return [] if mine else [f"run_folder={own}"], f"ls {shlex.quote(mine) if mine else own}/{STATES} 2>/dev/null"


def _require_ours(path: Path) -> None:
    """Sees to it that no script is lost that somebody else has written.

    Raises:
        RmldnnError: It would be.
    """
    try:
        start = path.read_text(encoding="utf-8", errors="replace").splitlines()[:2] if path.exists() else [slurm.MARK]
    except OSError as error:
        raise RmldnnError(f"cannot read `{path}`: {error.strerror or error}") from error
    if slurm.MARK not in start:
        raise RmldnnError(
            f"`{path}` is there already, and was not written by rmldnn submit; move it, or give the configuration "
            "another name (with --print the script is only shown)"
        )


def _job(given: argparse.Namespace, stem: str, more: Sequence[str]) -> Job:
    numbers = {key: getattr(given, key) for key in ("nodes", "gpus_per_node", "procs_per_node", "cpus_per_proc")}
    problems = [
        Problem(f"--{key.replace('_', '-')}", f"must be a positive integer, got {value}", COMMAND_LINE)
        for key, value in numbers.items()
        if value is not None and value < (key in ("nodes", "procs_per_node"))
    ]
    seconds = slurm.seconds(given.time)
    if seconds is None:
        message = f"must be minutes, hours:minutes:seconds or days-hours, got `{given.time}`"
        problems.append(Problem("--time", message, COMMAND_LINE))
    elif seconds < slurm.LEAST:
        message = (
            f"must be at least {slurm.LEAST // 60} minutes, got `{given.time}`, which SLURM reads as {seconds} s; "
            "the last two minutes are for saving the state; an hour is `60` or `1:00:00`"
        )
        problems.append(Problem("--time", message, COMMAND_LINE))
    problems += [
        Problem("--", f"takes lines for sbatch, which begin with `--`, got `{line}`", COMMAND_LINE)
        for line in more
        if not line.startswith("--")
    ]
    if problems:
        raise ConfigError(problems)
    gpus = given.gpus_per_node
    procs = given.procs_per_node or (1 if given.multirun else gpus) or 1
    name = re.sub(r"[^\w.-]", "_", stem)
    cores = given.cpus_per_proc
    if cores is None:
        said = any(line.startswith(("--cpus-per-", "--exclusive")) for line in more)  # by the user's own lines
        cores = _CORES * (gpus if given.multirun else 1) if gpus and not said else 0
    return Job(name, given.time, given.nodes, procs, gpus, cores, given.partition, given.account, more)
