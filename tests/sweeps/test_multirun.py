"""What Hydra's words of running a sweep are here."""

import json

import pytest

from rmldnn import cli
from rmldnn.errors import ConfigError
from rmldnn.sweeps.multirun import understood

CHOICE = "optimizer=adam,sgd"


def said(*words):
    return understood(["config.json", "-m", *words, CHOICE])


@pytest.mark.parametrize(
    ("hydras", "ours"),
    [
        ("hydra/launcher=basic", []),
        ("hydra/launcher=joblib", ["--workers=auto"]),
        ("hydra/launcher='joblib' hydra.launcher.n_jobs=4", ["--workers=4"]),
        ("hydra/launcher=joblib +hydra.launcher.n_jobs=-1", ["--workers=auto"]),
        ("hydra/launcher=joblib hydra.launcher.n_jobs=2 hydra.sweeper.n_jobs=8", ["--workers=2"]),
        ("hydra/sweeper=optuna", []),
        ("hydra.sweeper.n_trials=50 hydra.sweeper.n_jobs=2", ["sweep.num_trials=50", "--workers=2"]),
        ("hydra.sweeper.n_trials=null", []),
        ("hydra/sweeper/sampler=cmaes", ["sweep.sampler=cmaes"]),
        ("hydra.sweeper.sampler.n_startup_trials=3", ["sweep.num_startup_trials=3"]),
        ("hydra/sweeper=basic", ["sweep.sampler=grid"]),
        ("hydra.sweep.dir=there", ["--sweep-folder=there"]),
    ],
)
def test_each_word_has_one_of_ours(hydras, ours):
    assert said(*hydras.split()).words == [*ours, "config.json", "-m", CHOICE]


def slurm(*words, **launcher):
    keys = [f"hydra.launcher.{key}={value}" for key, value in launcher.items()]
    return understood(["config.json", "-m", "hydra/launcher=submitit_slurm", *keys, *words])


def test_jobs_of_slurm_are_those_of_submit():
    asked = slurm(timeout_min=120, gpus_per_node=4, partition="'gpu'", array_parallelism=16, mem_gb=32, qos="null")
    assert asked.submit == ["--time=60", "sweep.storage=journal", "--time=120", "--gpus-per-node=4", "--partition=gpu"]
    assert asked.workers == ["--workers=auto"]
    assert asked.lines == ["--array=1-16", "--mem=32G"]


def test_the_users_own_words_for_a_job_come_last():
    asked = slurm("--procs=4", "--", "--array=1-3", "hydra/launcher=joblib", gpus_per_node=4, comment="'a b'")
    assert asked.workers == []
    assert asked.words[-7:] == [
        *("-m", "--procs=4"),
        *("--", "--array=1-8", "--comment='a b'", "--array=1-3", "hydra/launcher=joblib"),
    ]


def test_trials_at_once_are_jobs_on_slurm():
    asked = slurm("hydra.sweeper.n_jobs=4")
    assert (asked.lines, asked.workers) == (["--array=1-4"], [])
    assert slurm("hydra.sweeper.n_jobs=-1").lines == ["--array=1-8"]


def test_only_lines_of_the_script_have_quotes():
    asked = slurm(partition="'a b'", qos="'a b'")
    assert "--partition=a b" in asked.submit
    assert "--qos='a b'" in asked.lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("hydra/launcher=joblb", "hydra/launcher: there is no `joblb` here; did you mean `joblib`?"),
        (
            "hydra/launcher=ray",
            "hydra/launcher: there is no `ray` here; known here: `basic`, `joblib`, `submitit_slurm`",
        ),
        ("hydra/launcher=submitit_local", "hydra/launcher: there is no `submitit_local` here; did you mean `joblib`?"),
        ("hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs: has no meaning with `basic`; add hydra/launcher=joblib"),
        (
            "hydra/launcher=joblib hydra.launcher.n_jobs=abc",
            'hydra.launcher.n_jobs: must be a whole number of at least 1, or -1, got "abc"',
        ),
        (
            "hydra/launcher=submitit_slurm hydra.launcher.timeout_min=1",
            "hydra.launcher.timeout_min: must be a whole number of at least 5, got 1",
        ),
        (
            "hydra/launcher=submitit_slurm hydra.launcher.nodes=2",
            "hydra.launcher.nodes: must be 1, got 2; a sweep's job is one process on one machine",
        ),
        (
            "hydra/launcher=submitit_slurm hydra.launcher.additional_parameters={a:1}",
            "hydra.launcher.additional_parameters: has no meaning with `submitit_slurm`; write lines for sbatch behind",
        ),
        (
            "hydra/launcher=submitit_slurm hydra.launcher.setup[0]=x",
            "hydra.launcher.setup[0]: has no meaning with `submitit_slurm`; write what a job needs into the script",
        ),
        ("hydra.sweeper.n_trial=2", "hydra.sweeper.n_trial: has no meaning with `optuna`; did you mean `n_trials`?"),
        ("hydra.sweeper.direction=maximize", "hydra.sweeper.direction: has no meaning with `optuna`; whether less is"),
        (
            "hydra.sweeper.sampler.seed=1",
            "hydra.sweeper.sampler.seed: has no meaning with `optuna`; trials are drawn by",
        ),
        (
            "hydra.sweeper.params.x=1",
            "hydra.sweeper.params.x: has no meaning with `optuna`; name the parameter itself: x=",
        ),
        ("hydra.sweep.subdir=x", "hydra.sweep.subdir: has no meaning here; trials are in `trials/<number>`"),
        ("hydra.sweep.dir=${now:%Y}", "hydra.sweep.dir: `${now:%Y}` asks for something else; write what it stands for"),
        ("hydra.sweep.dir=[", "hydra.sweep.dir: cannot read `[`"),
        ("hydra.sweep.dir=[a]", "hydra.sweep.dir: takes one word or number, got `[a]`"),
        ("hydra/launcher=basic,joblib", "hydra/launcher: takes one word or number, got `basic,joblib`"),
        ("hydra/sweeper/sampler=tpe,random", "hydra.sweeper.sampler: takes one word or number, got `tpe,random`"),
    ],
)
def test_a_word_that_has_none_is_refused(words, message):
    with pytest.raises(ConfigError) as refused:
        said(*words.split())
    (problem,) = refused.value.problems
    assert str(problem).startswith(f"command line: {message}")


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as refused:
        said("hydra/launcher=ray", "hydra/sweeper=ax", "hydra.sweep.subdir=x")
    assert len(refused.value.problems) == 3


def test_a_single_run_keeps_its_words():
    words = ["config.json", "hydra/launcher=joblib"]
    assert understood(words).words == words


@pytest.fixture
def file(pictures, config):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    return "config.json"


def test_a_sweep_on_slurm_is_submitted(file, capsys):
    slurms = ["hydra/launcher=submitit_slurm", "hydra.launcher.array_parallelism=4", CHOICE, "--print"]
    assert cli.main([file, "-m", *slurms, "--", "--mem=8G"]) == 0
    script = capsys.readouterr().out
    assert [line for line in script.splitlines() if "--array" in line or "--mem" in line] == [
        "#SBATCH --array=1-4",
        "#SBATCH --mem=8G",
    ]
    assert cli.main(["submit", file, "-m", *slurms, "--", "--mem=8G"]) == 0
    assert capsys.readouterr().out == script


def test_a_check_understands_what_a_sweep_does(file, capsys):
    assert cli.main(["check", file, "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", CHOICE]) == 0
    assert cli.main(["check", file, "-m", "hydra.sweeper.n_trials=0", CHOICE]) == 2
    assert "hydra.sweeper.n_trials: must be a whole number of at least 1, got 0" in capsys.readouterr().err
