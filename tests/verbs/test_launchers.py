"""What Hydra's words of running a sweep are here."""

import pytest

from rmldnn.errors import ConfigError
from rmldnn.verbs.launchers import understood

CHOICE = "optimizer=adam,sgd"


@pytest.mark.parametrize(
    ("hydras", "ours"),
    [
        (["hydra/launcher=basic"], []),
        (["hydra/launcher=joblib"], []),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=4"], ["--workers=4"]),
        (["hydra/launcher=joblib", "+hydra.launcher.n_jobs=-1"], ["--workers=auto"]),
        (["hydra/sweeper=optuna"], []),
        (["hydra.sweeper.n_trials=50", "hydra.sweeper.n_jobs=2"], ["sweep.num_trials=50", "--workers=2"]),
        (["hydra/sweeper/sampler=cmaes"], ["sweep.sampler=cmaes"]),
        (["hydra/sweeper=basic"], ["sweep.sampler=grid"]),
        (["hydra.sweep.dir=there"], ["--sweep-folder=there"]),
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_each_word_has_one_of_ours(hydras, ours):
    assert understood(["config.json", "-m", *hydras, CHOICE]) == [*ours, "config.json", "-m", CHOICE]


def test_jobs_of_slurm_are_those_of_submit():
    asked = {
        "timeout_min": 120,
        "gpus_per_node": 4,
        "partition": "gpu",
        "array_parallelism": 16,
        "mem_gb": 32,
        "qos": "low",
    }
    words = [f"hydra.launcher.{key}={value}" for key, value in asked.items()]
    assert understood(["config.json", "--multirun", "hydra/launcher=submitit_slurm", *words]) == [
        *("submit", "--time=60", "sweep.storage=journal"),
        *("--time=120", "--gpus-per-node=4", "--workers=auto", "--partition=gpu", "config.json", "--multirun"),
        *("--", "--array=1-16", "--mem=32G", "--qos=low"),
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hydra/launcher=joblb", "hydra/launcher: there is no `joblb` here; did you mean `joblib`?"),
        (
            "hydra/launcher=ray",
            "hydra/launcher: there is no `ray` here; known here: `basic`, `joblib`, `submitit_slurm`",
        ),
        ("hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs: has no meaning with `basic`"),
        ("hydra.sweeper.n_trial=2", "hydra.sweeper.n_trial: has no meaning with `optuna`; did you mean `n_trials`?"),
        ("hydra.sweeper.direction=maximize", "hydra.sweeper.direction: has no meaning with `optuna`; whether less is"),
        ("hydra.sweeper.params.x=1", "hydra.sweeper.params.x: has no meaning with `optuna`; name the parameters"),
        ("hydra.sweep.subdir=x", "hydra.sweep.subdir: has no meaning with `multirun`; did you mean `dir`?"),
    ],
)
def test_a_word_that_has_none_is_refused(word, message):
    with pytest.raises(ConfigError) as refused:
        understood(["config.json", "-m", word])
    (problem,) = refused.value.problems
    assert str(problem).startswith(f"command line: {message}")


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as refused:
        understood(["config.json", "-m", "hydra/launcher=ray", "hydra/sweeper=ax"])
    assert len(refused.value.problems) == 2


def test_a_single_run_keeps_its_words():
    words = ["config.json", "hydra/launcher=joblib"]
    assert understood(words) == words
