import subprocess

import pytest

from rmldnn.errors import LaunchError
from rmldnn.launching import slurm
from rmldnn.launching.slurm import Job


def lines(job):
    return [line.removeprefix("#SBATCH ") for line in slurm.script(job, []).splitlines() if line.startswith("#SBATCH")]


def test_a_job_on_gpus():
    job = Job("unet", "2:00:00", 4, 4, 4, 8, "big", "science", ["--mem=0"])
    assert lines(job) == [
        "--job-name=unet",
        "--nodes=4",
        "--ntasks-per-node=4",
        "--gpus-per-node=4",
        "--cpus-per-task=8",
        "--partition=big",
        "--account=science",
        "--time=2:00:00",
        "--output=unet-%j.log",
        "--open-mode=append",
        "--signal=USR1@120",
        "--requeue",
        "--mem=0",
    ]


def test_a_job_on_cpus_has_its_machines_for_itself():
    assert "--exclusive" in lines(Job("unet", "30"))
    assert "--exclusive" not in lines(Job("unet", "30", cpus=4))


@pytest.mark.parametrize("job", [Job("unet", "30"), Job("unet", "30", 2, 2, 2, 4, "a", "b", ["--mem=0"])])
def test_the_script_is_sound(job, tmp_path):
    path = tmp_path / "job.sbatch"
    path.write_text(slurm.script(job, ["rmldnn", "it's a config.json", "a=b c"], ['run_folder="runs/$SLURM_JOB_ID"']))
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_without_slurm_the_script_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="there is no `sbatch` on this machine, so `a.sbatch` is written, but not"):
        slurm.submit(tmp_path.relative_to(tmp_path) / "a.sbatch")


def test_what_slurm_refuses_is_told(tmp_path, monkeypatch):
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(LaunchError, match="SLURM refuses `a.sbatch`: sbatch: error: invalid partition"):
        slurm.submit(tmp_path.relative_to(tmp_path) / "a.sbatch")
