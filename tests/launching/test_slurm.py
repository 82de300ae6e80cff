import shutil
import subprocess
import sys
from pathlib import Path

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


def test_shellcheck_finds_nothing_in_the_script(tmp_path):
    program = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which("shellcheck")
    if program is None:
        pytest.skip("needs shellcheck: pip install -e '.[dev]'")
    path = tmp_path / "job.sbatch"
    run_folder = '"runs/unet-$SLURM_JOB_ID"'
    path.write_text(slurm.script(Job("unet", "30"), ["rmldnn"], [f"run_folder={run_folder}"], f"ls {run_folder}/state"))
    done = subprocess.run([program, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("30", 1800), ("2:30", 150), ("1:00:01", 3601), ("2-12", 216000), ("1-0:30", 88200), ("0", 0), ("soon", None)],
)
def test_times_as_slurm_reads_them(time, seconds):
    assert slurm.seconds(time) == seconds


@pytest.mark.parametrize(
    ("saves", "code", "requeued"), [("state/b", 138, True), ("state/a", 138, False), ("state/b", 0, False)]
)
def test_only_a_job_that_saved_something_new_is_queued_again(tmp_path, saves, code, requeued):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "a").touch()
    commands = {"srun": f"touch {saves}; exit {code}", "scontrol": '[ "$1" = show ] || touch requeued'}
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job.sbatch").write_text(slurm.script(Job("unet", "30"), ["rmldnn"], progress="ls state 2>/dev/null"))
    environment = {"PATH": f"{tmp_path}:/bin:/usr/bin", "SLURM_JOB_ID": "7"}
    done = subprocess.run(["bash", "job.sbatch"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code
    assert (tmp_path / "requeued").exists() == requeued
    assert ("not queued again: nothing new was saved in its time (30)" in done.stderr) == (code != 0 and not requeued)


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
