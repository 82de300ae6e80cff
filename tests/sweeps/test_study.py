"""What remembers the trials of a sweep, and chooses their values."""

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from rmldnn.config.domains import Choices, Range
from rmldnn.errors import ConfigError
from rmldnn.sweeps.settings import sweep
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.study import Study
from rmldnn.sweeps.trial import Outcome

BASE = {"num_epochs": 4, "seed": 0}
RATES = {"optimizer.learning_rate": Range("log", 1e-4, 1e-1)}
GRID = {"optimizer": Choices(("adam", "sgd")), "optimizer.learning_rate": Choices((1e-3, 1e-2))}


def opened(folder, domains, base=BASE, **settings):
    return Study(Path(folder), sweep(**settings), Space(domains), base)


def complete(study, value=1.0):
    trial = study.next()
    study.tell(trial, Outcome("complete", value, 1, 1, 0.5))
    return trial


def test_a_grid_is_all_combinations_in_turn(tmp_path):
    study = opened(tmp_path, GRID)
    assert study.total == 4
    assert [tuple(complete(study).values.values()) for _ in range(4)] == [
        ("adam", 1e-3),
        ("adam", 1e-2),
        ("sgd", 1e-3),
        ("sgd", 1e-2),
    ]
    assert study.next() is None


def test_a_grid_that_goes_on_has_each_combination_once(tmp_path):
    first = [complete(opened(tmp_path, GRID)).values for _ in range(3)]
    study = opened(tmp_path, GRID)
    assert [*first, complete(study).values] == [*Space(GRID).grid()]
    assert study.next() is None


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_a_study_knows_how_trials_ended(tmp_path, storage):
    study = opened(tmp_path, RATES, num_trials=3, storage=storage)
    values = complete(study, 0.25).values
    study.tell(study.next(), Outcome("failed", None, failure="no room"))
    pruned = study.next()
    pruned.report({1: 3.0, 2: 2.0, 3: 4.0})
    study.tell(pruned, Outcome("pruned", 2.0, 2, 3, 1.5))
    (first, one), (_, two), (_, three) = opened(tmp_path, RATES, num_trials=3).trials()
    assert first.values == values
    assert one == Outcome("complete", 0.25, 1, 1, 0.5)
    assert two == Outcome("failed", None, failure="no room")
    assert three == Outcome("pruned", 2.0, 2, 3, 1.5)


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "gp"])
def test_samplers_choose_within_the_space(tmp_path, sampler):
    if sampler in ("qmc", "gp"):
        pytest.importorskip("scipy")
    domains = {**RATES, "data.batch_size": Range("integer", 4, 16, 4), "optimizer": Choices(("adam", "sgd"))}
    study = opened(tmp_path, domains, num_trials=5, sampler=sampler, num_startup_trials=2)
    found = [complete(study, number).values for number in range(5)]
    assert all(1e-4 <= values["optimizer.learning_rate"] <= 1e-1 for values in found)
    assert {type(values["data.batch_size"]) for values in found} == {int}
    assert {values["data.batch_size"] for values in found} <= {4, 8, 12, 16}
    assert len({values["optimizer.learning_rate"] for values in found}) > 3


def test_a_sweep_that_goes_on_chooses_what_it_would_have_chosen(tmp_path):
    study = opened(tmp_path / "one", RATES, num_trials=8)
    whole = [complete(study, number % 3).values for number in range(8)]
    parts = [complete(opened(tmp_path / "two", RATES, num_trials=8), number % 3).values for number in range(8)]
    assert parts == whole


def test_the_seed_of_the_run_is_that_of_the_sampler(tmp_path):
    one, two = (complete(opened(tmp_path / str(seed), RATES, {**BASE, "seed": seed})).values for seed in (0, 1))
    assert one != two


def test_lists_and_objects_are_values_too(tmp_path):
    domains = {"data.transforms": Choices(([], [{"resize": [8, 8]}], None))}
    study = opened(tmp_path, domains)
    assert [complete(study).values["data.transforms"] for _ in range(3)] == [[], [{"resize": [8, 8]}], None]


def test_median_ends_what_is_worse_than_half_of_the_others(tmp_path):
    study = opened(tmp_path, RATES, num_trials=4, num_startup_trials=2, min_epochs=2)
    for value in (1.0, 2.0):
        trial = study.next()
        assert not trial.report({1: value, 2: value})
        study.tell(trial, Outcome("complete", value, 1, 2))
    worse, better = study.next(), study.next()
    assert not worse.report({1: 9.0})  # before `min_epochs`
    assert worse.report({1: 9.0, 2: 9.0, 3: 0.0})
    assert worse.reported == {1, 2}, "what comes behind the judgement is chance"
    assert not better.report({1: 0.5, 2: 0.5})


@pytest.mark.parametrize("pruner", ["hyperband", "successive_halving"])
def test_halving_gives_more_epochs_to_the_better_trials(tmp_path, pruner):
    study = opened(tmp_path, RATES, {**BASE, "num_epochs": 27}, num_trials=20, pruner=pruner)
    lasted = {}
    for value in range(20):  # each worse than the one before
        trial = study.next()
        hopeless = any(trial.report({epoch: float(value)}) for epoch in range(1, 28))
        lasted[value] = max(trial.reported)
        study.tell(trial, Outcome("pruned" if hopeless else "complete", float(value), 1, lasted[value]))
    assert lasted[0] == 27
    assert min(lasted.values()) < 27


def test_more_is_better_of_an_accuracy(tmp_path):
    study = opened(tmp_path, RATES, num_trials=3, num_startup_trials=1, monitor="test_accuracy")
    trial = study.next()
    trial.report({1: 0.5})
    study.tell(trial, Outcome("complete", 0.5, 1, 1))
    assert study.next().report({1: 0.1})


def test_a_trial_that_is_being_run_is_nobody_elses(tmp_path):
    one, other = (opened(tmp_path, RATES, num_trials=2) for _ in range(2))
    trials = [one.next(), other.next()]
    assert [trial.number for trial in trials] == [0, 1]
    assert not any(trial.goes_on for trial in trials)
    assert one.next() is None
    assert other.next() is None


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.sweeps.test_study import RATES, opened
trial = opened(sys.argv[1], RATES, num_trials=2, storage=sys.argv[2]).next()
trial.report({1: 3.0})
print(trial.values, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_a_trial_whose_worker_was_killed_goes_on(tmp_path, storage):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, storage],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    study = opened(tmp_path, RATES, num_trials=2)
    trial = study.next()
    assert (trial.number, trial.goes_on, trial.reported) == (0, True, {1})
    assert str(trial.values) == done.stdout.strip()
    assert study.next().number == 1
    assert study.next() is None


def test_a_combination_that_a_killed_worker_has_just_taken_is_not_lost(tmp_path):
    opened(tmp_path, GRID).optunas.ask()  # without any value yet
    study = opened(tmp_path, GRID)
    assert [complete(study).values for _ in range(4)] == [*Space(GRID).grid()]


def test_half_a_line_of_a_killed_worker_spoils_no_journal(tmp_path):
    study = opened(tmp_path, RATES, num_trials=2, storage="journal")
    complete(study)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code":4,"worker')
    complete(study)
    assert len(opened(tmp_path, RATES, num_trials=2).trials()) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"domains": {"optimizer.learning_rate": Range("log", 1e-4, 1.0)}}, "other parameters"),
        ({"monitor": "train_loss"}, "other monitor"),
        ({"base": {**BASE, "num_epochs": 5}}, "other `num_epochs`"),
    ],
)
def test_another_sweep_does_not_go_on_in_the_folder(tmp_path, change, told):
    opened(tmp_path, RATES)
    with pytest.raises(ConfigError, match=f"holds a sweep with {told}.*name another folder by --sweep-folder"):
        opened(tmp_path, **{"domains": RATES, **change})


def test_more_trials_another_sampler_and_tracking_go_on(tmp_path):
    complete(opened(tmp_path, RATES, num_trials=1))
    study = opened(tmp_path, RATES, {**BASE, "tracking": "TensorBoard"}, num_trials=2, sampler="random")
    assert complete(study).number == 1


@pytest.mark.parametrize("name", ["study.db", "study.journal"])
def test_a_damaged_study_is_told(tmp_path, name):
    (tmp_path / name).write_text("no data base\n" * 1000)
    with pytest.raises(ConfigError, match=rf"{name}` cannot be read: .*name another folder by --sweep-folder"):
        opened(tmp_path, RATES)


@pytest.mark.skipif(find_spec("cmaes") is not None, reason="the package is installed")
def test_a_sampler_without_its_package_is_told_at_once(tmp_path):
    with pytest.raises(ConfigError, match="sweep.sampler: `cmaes` needs a package that is not installed.*cmaes"):
        opened(tmp_path, RATES, sampler="cmaes")
    assert not any(tmp_path.iterdir())


def test_without_optuna_the_remedy_is_told(tmp_path, config, pictures, fork_server):
    (tmp_path / "optuna.py").write_text("raise ImportError('no optuna')\n")
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    result = fork_server(pictures, "config.json", "-m", "optimizer=adam,sgd")
    assert result.code == 2
    assert result.err.endswith("sweeps need a package that is not installed; type: pip install 'rmldnn[sweep]'\n")
    assert not Path("sweeps").exists()
