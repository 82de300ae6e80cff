"""Jobs of SLURM, which programs of ours stand in for."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.processes import script

pytestmark = pytest.mark.slow

SBATCH = """#!/bin/sh
export SLURM_JOB_ID=4711 SLURM_JOB_NODELIST=localhost,node2
bash "$1" >> job.log 2>&1
code=$?
if [ -e requeued ] || [ "$code" = 143 ]; then SLURM_RESTART_COUNT=1 bash "$1" >> job.log 2>&1; code=$?; fi
echo "$code" > code
echo "Submitted batch job 4711"
"""
SCONTROL = """#!/bin/sh
case "$1" in
  requeue) echo "$2" >> requeued;;
esac
"""
SRUN = f"""#!{sys.executable}
import os, signal, subprocess, sys, time
words = sys.argv[1:]
while words[0].startswith("--"):
    del words[0]
first = "SLURM_RESTART_COUNT" not in os.environ
told = {{"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "0", "SLURM_STEP_ID": "0"}}
tasks = [subprocess.Popen(words, env={{**os.environ, **told, "SLURM_PROCID": str(rank)}}) for rank in range(2)]
while first and "Train Epoch [  3/" not in open("job.log").read() and tasks[0].poll() is None:
    time.sleep(0.05)
for number in os.environ["SIGNALS"].split(",") if first else []:
    for task in tasks:
        task.send_signal(int(number))
    time.sleep(0.005)
sys.exit(max(task.wait() for task in tasks))
"""


@pytest.fixture
def cluster(pictures, config, rmldnn, tmp_path):
    """Submits a training to a cluster that sends signals to its first start, and starts it once more."""

    def submitted(*signals):
        config["num_epochs"] = 40
        (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
        (tmp_path / "bin").mkdir()
        for name, text in {"sbatch": SBATCH, "scontrol": SCONTROL, "srun": SRUN}.items():
            script(tmp_path / "bin" / name, text)
        result = rmldnn(
            *("submit", "config.json", "--nodes", "2", "--time", "30"),
            PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            SIGNALS=",".join(str(int(number)) for number in signals),
        )
        assert result.code == 0, result.err
        return result.out, Path("job.log").read_text()

    return submitted


def went_on(name, log):
    """Whether a training was saved when it was told to leave, and is complete now."""
    assert f"stopped by {name}; the state is in `runs/config-4711/state/" in log
    assert "Going on with epoch" in log
    assert Path("code").read_text() == "0\n", log
    assert [line.split()[1] for line in Path("out_test.txt").read_text().splitlines()] == [*map(str, range(1, 41))]
    sessions = json.loads(Path("runs/config-4711/run.json").read_text())["sessions"]
    return [session["outcome"].partition(";")[0] for session in sessions] == [f"stopped by {name}", "complete"]


def test_a_job_whose_time_is_over_goes_on(cluster):
    said, log = cluster(signal.SIGUSR1)
    assert "Submitted batch job 4711" in said
    assert Path("config.sbatch").read_text() in said
    assert Path("requeued").read_text() == "4711\n", log
    assert went_on("SIGUSR1", log)


def test_a_job_that_is_told_to_leave_twice_goes_on(cluster):
    """SLURM sends SIGTERM to a task once more than needed."""
    _, log = cluster(signal.SIGTERM, signal.SIGTERM)
    assert not Path("requeued").exists(), "SLURM does that by itself"
    assert went_on("SIGTERM", log)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config.json", "--time", "soon"], "--time: must be minutes, hours:minutes:seconds or days-hours, got `soon`"),
        (
            ["config.json", "--time", "2:00"],
            "--time: must be at least 5 minutes, got `2:00`, which SLURM reads as 120 s",
        ),
        (["config.json", "--time", "30", "layers=none.json"], "none.json"),
        (["config.json", "--time", "30", "--nodes", "0"], "--nodes: must be a positive integer, got 0"),
        (["config.json", "--time", "30", "num_epochs=0"], "num_epochs: must be a positive integer, got 0"),
        (["config.json", "--time", "30", "--", "mem"], "takes lines for sbatch, which begin with `--`, got `mem`"),
        (["config.json"], "the following arguments are required: --time"),
    ],
)
def test_a_wrong_job_is_not_submitted(pictures, config, rmldnn, arguments, message):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    result = rmldnn("submit", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not list(pictures.glob("*.sbatch"))


def test_a_script_of_the_user_stays(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    (pictures / "config.sbatch").write_text("#!/bin/bash\n#SBATCH --mem=0\n")
    result = rmldnn("submit", "config.json", "--time", "30")
    assert result.code == 1
    assert "`config.sbatch` is there already, and was not written by rmldnn submit; move it" in result.err
    assert (pictures / "config.sbatch").read_text() == "#!/bin/bash\n#SBATCH --mem=0\n"


def test_a_script_of_ours_is_written_anew(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    for minutes in ("30", "40"):
        assert "there is no `sbatch`" in rmldnn("submit", "config.json", "--time", minutes, PATH="/none").err
    assert "--time=40" in (pictures / "config.sbatch").read_text()


@pytest.mark.parametrize(
    ("words", "cores"),
    [
        ([], ["8"]),
        (["--cpus-per-proc", "0"], []),
        (["--cpus-per-proc", "4"], ["4"]),
        (["--", "--exclusive"], []),
        (["--", "--cpus-per-gpu=9"], []),
    ],
)
def test_cores_beside_gpus(pictures, config, rmldnn, words, cores):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    script = rmldnn("submit", "config.json", "--time", "30", "--print", "--gpus-per-node", "2", *words).out
    assert re.findall(r"#SBATCH --cpus-per-task=(\d+)", script) == cores


def test_a_run_folder_of_the_user_stays(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    mine = rmldnn("submit", "config.json", "run_folder=mine", "--time", "30", "--print").out
    assert '-m rmldnn config.json run_folder=mine "${resume[@]}"' in mine
    assert "ls mine/state " in mine
    own = rmldnn("submit", "config.json", "--time", "30", "--print").out
    assert '-m rmldnn config.json run_folder="runs/config-$SLURM_JOB_ID" "${resume[@]}"' in own
