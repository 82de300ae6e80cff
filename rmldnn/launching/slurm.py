"""A run as a job of SLURM: the script that `rmldnn submit` writes."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmldnn.errors import LaunchError

_WARNING = 120
"""Seconds before the end of its time at which a job is told to leave."""
LEAST = 300
"""Seconds below which a job could do little but start and leave."""
MARK = "# Written by rmldnn submit, which writes it anew."
"""Second line of each script, by which it is known as ours."""
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<rest>\d+(?::\d+){0,2})")


@dataclass(frozen=True)
class Job:
    """What a job asks SLURM for.

    Args:
        name: What it is called.
        time: How long it may take at once, as SLURM writes it: `2:00:00`.
        nodes: Number of machines.
        procs: Processes on each.
        gpus: GPUs on each; 0 computes on CPUs.
        cpus: Cores of each process; 0 is the cluster's default beside GPUs, else a share of the whole machine.
        partition: Partition; the cluster's default if empty.
        account: Account; the user's default if empty.
        more: Further lines behind `#SBATCH`.
    """

    name: str
    time: str
    nodes: int = 1
    procs: int = 1
    gpus: int = 0
    cpus: int = 0
    partition: str = ""
    account: str = ""
    more: Sequence[str] = ()

    def lines(self) -> list[str]:
        """What stands behind `#SBATCH`."""
        wanted = [
            f"--job-name={self.name}",
            f"--nodes={self.nodes}",
            f"--ntasks-per-node={self.procs}",
            f"--gpus-per-node={self.gpus}" if self.gpus else "",
            f"--cpus-per-task={self.cpus}" if self.cpus else "" if self.gpus else "--exclusive",
            f"--partition={self.partition}" if self.partition else "",
            f"--account={self.account}" if self.account else "",
            f"--time={self.time}",
            f"--output={self.name}-%j.log",
            "--open-mode=append",
            f"--signal=USR1@{_WARNING}",
            "--requeue",
        ]
        return [line for line in [*wanted, *self.more] if line]


def seconds(time: str) -> int | None:
    """How long a time of SLURM is; None if it is none. `30` and `30:00` are minutes, `2-12` is days and hours."""
    found = _TIME.fullmatch(time)
    if found is None:
        return None
    numbers = [int(number) for number in found["rest"].split(":")]
    units = (3600, 60, 1) if found["days"] or len(numbers) > 2 else (60, 1)
    return 86400 * int(found["days"] or 0) + sum(number * unit for number, unit in zip(numbers, units, strict=False))


def script(job: Job, command: Sequence[str], anew: Sequence[str] = (), progress: str = "true") -> str:
    """The script of a job that goes on where it was when SLURM starts it again.

    Before its time is over SLURM sends SIGUSR1 to the processes, which save the state and leave with 128 + 10; then the
    job puts itself into the queue once more, if anything new was saved: else it would come and go for ever. Its number
    stays the same, and so does its run folder.

    Args:
        job: What it asks for.
        command: What each process runs.
        anew: What the command gets besides, with shell variables; the run folder.
        progress: A command of the shell whose output is another one when more is saved; by default nothing ever is.
    """
    header = "\n".join(f"#SBATCH {line}" for line in job.lines())
    cpus = f" --cpus-per-task={job.cpus}" if job.cpus else ""
    run = " ".join([shlex.join(command), *anew])
    return f"""\
#!/bin/bash
{MARK}
{header}

# A job that was stopped, by the end of its time or for another one, goes on with its newest state.
resume=()
if [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ]; then resume=(--resume); fi

saved() {{ {progress}; }}
before=$(saved)

# SIGTERM may reach this shell too, which has to outlive the processes that save the state.
trap : TERM

# The processes leave together: while one saves the state, the others must not end it. They share out the cores.
srun --kill-on-bad-exit=0 --wait=0 --cpu-bind=none{cpus} \\
    {run} "${{resume[@]}}"
code=$?

# SIGUSR1 came {_WARNING} seconds before the end. A job that saved nothing new would come no further the next time.
if [ "$code" -eq {128 + signal.SIGUSR1} ]; then
    if [ "$(saved)" != "$before" ]; then
        scontrol requeue "$SLURM_JOB_ID"
    else
        echo "job $SLURM_JOB_ID is not queued again: nothing new was saved in its time ({job.time}); give it more" >&2
    fi
fi
exit "$code"
"""


def container(image: Path, *, gpus: bool) -> list[str]:
    """What stands before a command that is to run in an image of Apptainer, where the working directory is there too.

    Args:
        image: The image's file.
        gpus: Whether it gets the machine's GPUs.
    """
    return ["apptainer", "exec", *(["--nv"] if gpus else []), "--bind", str(Path.cwd()), str(image)]


def submit(path: Path) -> str:
    """Hands a script to SLURM; what it answers.

    Raises:
        LaunchError: There is no SLURM here, or it refuses the job.
    """
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise LaunchError(
            f"there is no `sbatch` on this machine, so `{path}` is written, but not submitted; go to a login node of "
            f"the cluster and type: sbatch {shlex.quote(str(path))}"
        )
    done = subprocess.run([sbatch, str(path)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise LaunchError(f"SLURM refuses `{path}`: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()
