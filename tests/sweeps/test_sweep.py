"""`rmldnn config.json -m`: sweeps as users have them, in processes of their own."""

import csv
import json
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from rmldnn.cli import main
from rmldnn.config import spec
from rmldnn.sweeps import space
from rmldnn.sweeps.settings import sweep
from rmldnn.sweeps.study import Study
from rmldnn.sweeps.trial import Outcome
from rmldnn.verbs import sweeping
from tests.processes import ended, started

pytestmark = pytest.mark.slow

PLACE = Path("sweeps/config")


def written(config, **changes):
    Path("config.json").write_text(json.dumps({"neural_network": {**config, **changes}}))


def table():
    with (PLACE / "trials.csv").open(newline="") as rows:
        return list(csv.DictReader(rows))


def test_a_grid_of_four(pictures, config, fork_server):
    written(config)
    words = ("optimizer=adam,sgd", "optimizer.learning_rate=1e-4,1e-1", "sweep.monitor=test_accuracy", "--workers", "2")
    result = fork_server(pictures, "config.json", "-m", *words)
    assert result.code == 0, result.err
    trials = table()
    assert [(row["optimizer"], row["optimizer.learning_rate"]) for row in trials] == [
        ("adam", "0.0001"),
        ("adam", "0.1"),
        ("sgd", "0.0001"),
        ("sgd", "0.1"),
    ]
    assert {row["state"] for row in trials} == {"complete"}
    best = json.loads((PLACE / "best_model/trial.json").read_text())
    assert best["value"] == max(float(row["value"]) for row in trials)
    assert float(trials[best["trial"]]["value"]) == best["value"]
    assert not Path("model").exists(), "trials write into their own folders"
    assert not Path("out_train.txt").exists()
    assert (PLACE / f"trials/{best['trial']}/out_test.txt").exists()

    checkpoint = f"checkpoints.load={PLACE}/best_model/model_checkpoint_best.pt"
    again = fork_server(pictures, PLACE / "best_model/config.json", checkpoint, "data.input_path=null", "outfile=again")
    assert again.code == 0, again.err
    assert float(Path("again_test.txt").read_text().split()[-1]) == pytest.approx(best["value"], abs=5e-4)

    once_more = fork_server(pictures, "config.json", "-m", *words)
    assert once_more.code == 0, once_more.err
    assert "Sweep of 4 trials, 4 of them done" in once_more.out
    assert table() == trials


def test_a_sweep_that_was_killed_goes_on(pictures, config, fork_server):
    config["checkpoints"]["state_interval"] = 0
    written(config, num_epochs=20, sweep={"optimizer.learning_rate": {"log": [1e-3, 1e-1]}, "num_trials": 1})
    whole = fork_server(pictures, "config.json", "-m", "--sweep-folder", "whole")
    assert whole.code == 0, whole.err

    worker = started("config.json", "-m")
    state, history = PLACE / "trials/0/state", PLACE / "trials/0/history.csv"
    while not (list(state.glob("epoch_*")) and history.exists() and history.read_text().count("\n") > 2):
        assert worker.poll() is None, worker.communicate()
        time.sleep(0.01)
    worker.kill()
    worker.communicate()
    result = fork_server(pictures, "config.json", "-m")
    assert result.code == 0, result.err
    assert "Sweep of 1 trial, 0 of them done" in result.out
    assert "Trial 0 goes on" in result.out
    assert "Going on with epoch" in (PLACE / "trials/0/log.txt").read_text()
    timeless = [{**row, "seconds": ""} for row in table()]
    with Path("whole/trials.csv").open(newline="") as rows:
        assert timeless == [{**row, "seconds": ""} for row in csv.DictReader(rows)]


def test_a_sweep_that_is_told_to_leave_saves_the_states_of_its_trials(endless, fork_server):
    worker = started("config.json", "-m", "run_folder=null", "optimizer.learning_rate=0.1,0.2")
    state = PLACE / "trials/0/state"
    while not list(state.glob("epoch_*")):
        assert worker.poll() is None, worker.communicate()
        time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    code, err = ended(worker, within=120)
    assert code == 128 + signal.SIGTERM
    assert "the sweep was told to leave; 0 of 2 trials are over, the same command goes on" in err
    assert "stopped by SIGTERM; the state is in" in (PLACE / "trials/0/log.txt").read_text()


def test_a_trial_that_promises_little_is_stopped(pictures, config, fork_server):
    section = {"optimizer.learning_rate": {"log": [1e-9, 1e-8]}, "num_trials": 2, "num_startup_trials": 1}
    written(config, num_epochs=100000, outfile=None, sweep=section)
    wanted = space.read(spec.load("config.json"), ())
    study = Study(PLACE, sweep(**wanted.settings), wanted.space, wanted.base)
    good = study.next()
    good.report(dict.fromkeys(range(1, 200), 0.0))
    study.tell(good, Outcome("complete", 0.0, 1, 200))
    result = fork_server(pictures, "config.json", "-m")
    assert result.code == 0, result.err
    assert table()[1]["state"] == "pruned"
    assert not (PLACE / "trials/1/state").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["-m", "optimizer=adam,sgdd", "optimizer.learning_rate=0.1,-1"], 2, "2 problems; nothing was run"),
        (["-m", "optimizer=adam,sgd", "sweep.monitor=test_IoU"], 2, "sweep.monitor: this run has no `test_IoU`"),
        (["-m", "optimizer=adam,sgd", "data.input_path=./nowhere/"], 3, "`./nowhere/` does not exist"),
        (["-m", "optimizer=adam,sgd", "--workers", "0"], 2, "--workers: must be a positive integer or `auto`, got `0`"),
        (["-m", "optimizer=adam,sgd", "--workers", "two"], 2, "must be a positive integer or `auto`, got `two`"),
        (["-m", "optimizer=adam,sgd", "--procs", "0"], 2, "--procs: must be a positive integer or `auto`, got `0`"),
        (["-m", "optimizer=adam,sgd", "--procs", "two"], 2, "--procs: must be a positive integer or `auto`, got `two`"),
        (["--workers", "2"], 2, "command line: --workers: is for sweeps, and this is a single run; add -m"),
        (["--sweep-folder", "x"], 2, "command line: --sweep-folder: is for sweeps"),
    ],
)
def test_a_wrong_sweep_starts_nothing(pictures, config, capsys, words, code, told):
    written(config)
    assert main(["config.json", *words]) == code
    assert told in capsys.readouterr().err
    assert not Path("sweeps").exists()


def test_a_worker_for_whom_nothing_is_left_has_not_failed(pictures, config, fork_server):
    written(config, sweep={"optimizer.learning_rate": [0.1, 0.2]})
    wanted = space.read(spec.load("config.json"), ())
    study = Study(PLACE, sweep(**wanted.settings), wanted.space, wanted.base)
    trials = [study.next(), study.next()]  # as another worker would
    result = fork_server(pictures, "config.json", "-m")
    assert result.code == 0, result.err
    assert "Other workers still run 2 of the trials" in result.out
    assert not (PLACE / "best_model").exists()
    for trial in trials:
        study.tell(trial, Outcome("failed", failure="no room"))
    result = fork_server(pictures, "config.json", "-m", "--resume")
    assert (result.code, "no trial of the sweep was completed" in result.err) == (1, True)


def test_files_of_own_groups_are_files_of_the_sweep(pictures):
    Path("loss").mkdir()
    Path("loss/mine.yaml").write_text("function: NLL\n")
    Path("config.yaml").write_text("defaults:\n- /rmldnn\n- override /loss: mine\n- preset: exact\n- _self_\n")
    loaded = spec.load("config.yaml", changes=["num_epochs=1"])
    assert sweeping._files(loaded, ["num_epochs=1"]) == {"config.yaml", "loss/mine.yaml"}
    Path("loss/other.yaml").write_text("function: MSE\n")
    assert sweeping._files(loaded, ["loss=other"]) == {"config.yaml", "loss/mine.yaml", "loss/other.yaml"}


def test_a_file_that_is_changed_ends_the_sweep_with_the_running_trial(endless, config):
    written(config | {"num_epochs": 300})
    worker = started("config.json", "-m", "run_folder=null", "optimizer.learning_rate=0.1,0.2")
    while not (PLACE / "trials/0/history.csv").exists():
        assert worker.poll() is None, worker.communicate()
        time.sleep(0.05)
    written(config | {"num_epochs": 301})
    code, err = ended(worker, within=120)
    assert code == 2, err
    assert "sweep: `config.json` changed meanwhile, so further trials would not compare with the 1 that are over" in err
    assert [(row["trial"], row["state"], row["epochs"]) for row in table()] == [("0", "complete", "300")]


def test_several_commands_share_out_the_trials(pictures, config):
    written(config, sweep={"optimizer.learning_rate": [1e-4, 1e-3, 1e-2, 1e-1]})
    workers = [started("config.json", "-m") for _ in range(2)]
    for worker in workers:
        code, err = ended(worker, within=120)
        assert code == 0, err
    assert [row["state"] for row in table()] == ["complete"] * 4
    logs = [(PLACE / f"trials/{number}/log.txt").read_text() for number in range(4)]
    assert [text.count("$ ") for text in logs] == [1, 1, 1, 1]
    best = min(table(), key=lambda row: float(row["value"]))
    assert json.loads((PLACE / "best_model/trial.json").read_text())["trial"] == int(best["trial"])


def test_a_job_may_have_several_workers(pictures, config, fork_server):
    written(config, sweep={"optimizer.learning_rate": [0.1, 0.2]})

    def submitted(*words):
        return fork_server(pictures, "submit", "config.json", "-m", "--time", "30", "--print", *words)

    job = submitted("--gpus-per-node", "4", "--workers", "2", "--procs", "2")
    assert job.code == 0, job.err
    assert "--workers=2 --procs=2 -m --sweep-folder=sweeps/config " in job.out
    for line in ("--ntasks-per-node=1", "--gpus-per-node=4", "--cpus-per-task=32"):
        assert f"#SBATCH {line}\n" in job.out
    idle = submitted("--gpus-per-node", "4")
    assert idle.code == 2
    assert "--gpus-per-node: one trial would leave GPUs idle; add `--workers auto`" in idle.err
    wrong = submitted("--workers", "none")
    assert "--workers: must be a positive integer or `auto`, got `none`" in wrong.err
    single = fork_server(pictures, "submit", "config.json", "--procs", "2", "--time", "30", "--print")
    assert "--procs: is for sweeps, and this is a single run" in single.err


def test_a_job_of_slurm_is_a_worker_of_the_sweep(pictures, config, fork_server):
    written(config, sweep={"optimizer.learning_rate": [0.1, 0.2]})
    result = fork_server(pictures, "submit", "config.json", "-m", "--time", "30", "--print", "--", "--array=1-8")
    assert result.code == 0, result.err
    assert "#SBATCH --array=1-8\n" in result.out
    assert "Warning: several jobs may not share SQLite" in result.err
    shared = ("sweep.storage=journal", "--time", "30", "--print", "--", "--array=1-8")
    assert "SQLite" not in fork_server(pictures, "submit", "config.json", "-m", *shared).err
    assert "-m rmldnn config.json -m --sweep-folder=sweeps/config " in result.out
    refused = fork_server(pictures, "submit", "config.json", "-m", "--time", "30", "--nodes", "2", "--print")
    assert refused.code == 2
    assert "-m: a sweep's job is one process; `-- --array=1-8` submits eight jobs" in refused.err


def test_a_job_for_the_folder_of_another_sweep_is_not_submitted(pictures, config, fork_server):
    written(config, sweep={"optimizer.learning_rate": [0.1, 0.2]}, num_epochs=1)
    assert fork_server(pictures, "config.json", "-m").code == 0
    again = ["submit", "config.json", "-m", "--time", "30", "optimizer.learning_rate=0.1,0.3"]
    refused = fork_server(pictures, *again, PATH="/none")
    assert refused.code == 2
    assert "holds a sweep with other parameters (`optimizer.learning_rate`)" in refused.err
    assert not (pictures / "config.sbatch").exists()
    assert "there is no `sbatch`" in fork_server(pictures, *again, "--sweep-folder", "other", PATH="/none").err
