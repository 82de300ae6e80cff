"""Runs of several processes: how tests start them, what they wait for, and how they see them end."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

RMLDNN = [sys.executable, "-m", "rmldnn"]


def started(*options, before=(), **environment):
    """The command as a process that goes on."""
    return subprocess.Popen(
        [*before, *RMLDNN, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def as_by_srun(*options, world=2):
    """Processes that no launcher watches over."""
    job = secrets.token_hex(4)
    return [
        started(
            *options,
            SLURM_PROCID=str(rank),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_TASKS=str(world),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=job,
        )
        for rank in range(world)
    ]


def until(process, line):
    """Reads the log of a process up to a line."""
    for text in process.stdout:
        if line in text:
            return
    pytest.fail(process.stderr.read())


def ended(process, within):
    """Exit code and last words of a process that is to end soon."""
    try:
        _, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, err


def children(pid):
    """Processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def script(path, text):
    """A program in the place of another one."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def goes_on(rmldnn):
    """Goes on with a run: its state is whole."""
    epoch = max(int(path.name.split("_")[1]) for path in Path("run/state").glob("epoch_*_sample_*"))
    result = rmldnn("config.json", "--resume", f"num_epochs={epoch + 1}")
    assert result.code == 0, result.err
    assert "Going on with epoch" in result.out
