"""What remembers the trials of a sweep, and chooses their values."""

import json
import os
import signal
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from rmldnn.config.domains import Choices, Range
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.sweeps import choosing, report
from rmldnn.sweeps.settings import sweep
from rmldnn.sweeps.space import Space
from rmldnn.sweeps.study import Study
from rmldnn.sweeps.trial import Outcome

BASE = {"num_epochs": 4, "seed": 0}
RATES = {"optimizer.learning_rate": Range("log", 1e-4, 1e-1)}
FAILED = Outcome("failed", failure="no room")
GRID = {"optimizer": Choices(("adam", "sgd")), "optimizer.learning_rate": Choices((1e-3, 1e-2))}


def opened(folder, domains, base=BASE, storage="journal", **settings):  # which is quicker than a data base
    return Study(Path(folder), sweep(storage=storage, **settings), Space(domains), base)


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
    (first, one), (_, two), (_, three) = opened(tmp_path, RATES, num_trials=3, storage=storage).trials()
    assert first.values == values
    assert one == Outcome("complete", 0.25, 1, 1, 0.5)
    assert two == Outcome("failed", None, failure="no room")
    assert three == Outcome("pruned", 2.0, 2, 3, 1.5)


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "gp", "cmaes"])
def test_samplers_choose_within_the_space(tmp_path, sampler):
    if sampler in choosing._PACKAGES:
        pytest.importorskip(choosing._PACKAGES[sampler])
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
    study = opened(tmp_path, RATES, {**BASE, "num_epochs": 9}, num_trials=20, pruner=pruner)
    lasted = {}
    for value in range(20):  # each worse than the one before
        trial = study.next()
        hopeless = any(trial.report({epoch: float(value)}) for epoch in range(1, 10))
        lasted[value] = max(trial.reported)
        study.tell(trial, Outcome("pruned" if hopeless else "complete", float(value), 1, lasted[value]))
    assert lasted[0] == 9
    assert min(lasted.values()) < 9


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
    study = opened(tmp_path, RATES, num_trials=2, storage=storage)
    trial = study.next()
    assert (trial.number, trial.goes_on, trial.reported) == (0, True, {1})
    assert str(trial.values) == done.stdout.strip()
    assert study.next().number == 1
    assert study.next() is None


def test_a_combination_that_a_killed_worker_has_just_taken_is_not_lost(tmp_path):
    study = opened(tmp_path, GRID).optunas
    study.enqueue_trial({"optimizer": "adam", "optimizer.learning_rate": 1e-3}, {"number": 0})
    study.ask()  # without any value yet, and without a folder
    study = opened(tmp_path, GRID)
    assert [complete(study).values for _ in range(4)] == [*Space(GRID).grid()]


def test_a_trial_that_failed_is_tried_once_more_by_the_next_command(tmp_path):
    study = opened(tmp_path, GRID)
    failed = study.next()
    (failed.folder / "history.csv").write_text("of the first time")
    study.tell(failed, FAILED)
    values = [complete(study).values for _ in range(3)]
    assert study.next() is None, "not by this one"
    study = opened(tmp_path, GRID)
    again = study.next()
    assert (study.again, again.number, again.values, again.goes_on) == (1, 0, failed.values, False)
    assert not (again.folder / "history.csv").exists()
    study.tell(again, Outcome("complete", 2.0, 1, 1))
    assert study.next() is None
    assert [trial.values for trial, _ in study.trials()] == [failed.values, *values]
    assert {outcome.state for _, outcome in study.trials()} == {"complete"}


def test_a_trial_that_fails_is_tried_three_times_by_all_commands(tmp_path):
    for tries in range(4):
        study = opened(tmp_path, GRID, num_trials=1, sampler="random")
        trial = study.next()
        assert (trial is None) is (tries == 3)
        if trial is not None:
            study.tell(trial, FAILED)


def test_whoever_joins_others_tries_nothing_again(tmp_path):
    study = opened(tmp_path, RATES, num_trials=2)
    study.tell(study.next(), FAILED)
    running = study.next()
    joined = opened(tmp_path, RATES, num_trials=2)
    assert (joined.again, joined.others(), joined.next()) == (0, 1, None)
    study.tell(running, Outcome("complete", 1.0, 1, 1))
    assert joined.others() == 0
    assert opened(tmp_path, RATES, num_trials=2).again == 1


def test_a_job_that_goes_on_tries_nothing_again(tmp_path):
    study = opened(tmp_path, RATES, num_trials=1)
    study.tell(study.next(), FAILED)
    study = Study(tmp_path, sweep(storage="journal", num_trials=1), Space(RATES), BASE, retry=False)
    assert (study.again, study.next()) == (0, None)


def test_a_copy_has_the_value_of_another_trial_and_is_not_the_best(tmp_path):
    """Two values, of which the first trial's fails and is then drawn, and completed, by another."""
    domains = {"optimizer": Choices(("adam", "sgd"))}
    study = opened(tmp_path, domains, num_trials=2, sampler="random")
    failed = study.next()
    (failed.folder / "model").mkdir()
    (failed.folder / "model/model_checkpoint_best.pt").write_text("of the run that failed")
    study.tell(failed, FAILED)
    study.optunas.enqueue_trial({"optimizer": failed.values["optimizer"]}, {"number": 1})
    original = complete(study)
    assert original.values == failed.values
    study = opened(tmp_path, domains, num_trials=2, sampler="random")
    assert study.next() is None
    trials = study.trials()
    assert [outcome.state for _, outcome in trials] == ["complete", "complete"]
    assert [outcome.copy_of for _, outcome in trials] == [1, None]
    assert report.best(trials, minimize=True)[0].number == 1
    assert not (failed.folder / "model").exists()


@pytest.mark.parametrize("state", ["complete", "pruned", "failed"])
def test_a_trial_that_has_ended_keeps_no_states(tmp_path, state):
    study = opened(tmp_path, RATES)
    trial = study.next()
    (trial.folder / "state/epoch_1_sample_0").mkdir(parents=True)
    study.tell(trial, Outcome(state, 1.0, 1, 1))
    assert not (trial.folder / "state").exists()


def test_states_that_a_killed_worker_left_behind_a_trial_are_removed(tmp_path):
    trial = complete(opened(tmp_path, RATES))
    state = trial.folder / "state/epoch_1_sample_0"
    state.mkdir(parents=True)
    opened(tmp_path, RATES)
    assert not state.exists()


def test_a_study_that_could_not_be_told_of_an_epoch_is_told_again(tmp_path, monkeypatch):
    trial = opened(tmp_path, RATES).next()
    monkeypatch.setattr(trial.live, "report", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(RmldnnError, match="no space left"):
        trial.report({1: 3.0})
    assert trial.reported == set()
    monkeypatch.undo()
    trial.report({1: 3.0})
    assert trial.reported == {1}


def test_values_that_python_takes_for_equal_are_several(tmp_path):
    domains = {"deterministic": Choices((0, False, 1, True)), "layers": Choices(("[1]", [1]))}
    study = opened(tmp_path, domains)
    found = [complete(study).values for _ in range(8)]
    assert json.dumps(found) == json.dumps([*Space(domains).grid()])
    assert study.next() is None


def test_trials_that_failed_come_behind_new_ones_and_in_their_own_place(tmp_path):
    study = opened(tmp_path, RATES, num_trials=3)
    study.tell(study.next(), FAILED)
    study = opened(tmp_path, RATES, num_trials=3)
    assert [complete(study).number for _ in range(3)] == [1, 2, 0]
    study = opened(tmp_path, RATES, num_trials=4)
    assert complete(study).number == 3


def test_a_trial_that_is_killed_again_and_again_without_coming_further_does_not_go_on(tmp_path):
    study = opened(tmp_path, RATES, num_trials=1)
    for expected in (True, True):
        assert study.interrupted(study.next()) is expected
    trial = study.next()
    (trial.folder / "state/epoch_2_sample_0").mkdir(parents=True)
    assert study.interrupted(trial), "it has come further"
    assert study.interrupted(study.next())
    assert not study.interrupted(study.next())


def test_what_was_begun_by_nobody_begins_in_an_empty_folder(tmp_path):
    study = opened(tmp_path, RATES)
    study.optunas.enqueue_trial({}, {"number": 0})
    study.optunas.ask()
    (tmp_path / "trials/0").mkdir()
    (tmp_path / "trials/0/history.csv").write_text("of an earlier time")
    trial = study.next()
    assert (trial.number, trial.goes_on) == (0, False)
    assert not (trial.folder / "history.csv").exists()


def test_trials_of_which_nothing_tells_are_refused(tmp_path):
    complete(opened(tmp_path, RATES))
    (tmp_path / "study.journal").unlink()
    with pytest.raises(ConfigError, match="holds trials, and no study.db or study.journal beside it.*--sweep-folder"):
        opened(tmp_path, RATES)


def test_no_more_trials_than_combinations(tmp_path):
    domains = {"optimizer": Choices(("adam", "sgd"))}
    study = opened(tmp_path, domains, num_trials=5)
    assert study.total == 2
    assert [complete(study).values["optimizer"] for _ in range(2)] == ["adam", "sgd"]
    assert study.next() is None


def test_equal_trials_are_not_run_again(tmp_path):
    study = opened(tmp_path, {"optimizer": Choices(("adam", "sgd", "lion", "lamb"))}, num_trials=4, sampler="random")
    run = {}
    while (trial := study.next()) is not None:
        assert trial.values["optimizer"] not in run
        run[trial.values["optimizer"]] = float(len(run))
        study.tell(trial, Outcome("complete", run[trial.values["optimizer"]], 1, 1))
    assert len(run) < 4, "the seed draws some twice"
    assert [outcome.value for _, outcome in study.trials()] == [
        run[trial.values["optimizer"]] for trial, _ in study.trials()
    ]
    assert len(study.trials()) == 4


def test_a_grid_may_have_fewer_trials_and_all_of_them_later(tmp_path):
    study = opened(tmp_path, GRID, num_trials=2)  # which chooses some
    some = [complete(study).values for _ in range(2)]
    study = opened(tmp_path, GRID)
    rest = []
    while (trial := study.next()) is not None:
        study.tell(trial, Outcome("complete", 1.0, 1, 1))
        rest.append(trial.values)
    assert sorted(map(str, {str(values): 0 for values in some + rest})) == sorted(map(str, Space(GRID).grid()))


def test_half_a_line_of_a_killed_worker_spoils_no_journal(tmp_path):
    study = opened(tmp_path, RATES, num_trials=2, storage="journal")
    complete(study)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code":4,"worker')
    complete(study)
    assert len(opened(tmp_path, RATES, num_trials=2).trials()) == 2


CHECKPOINTS = {"save": "./model/", "load": None, "interval": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"domains": {"optimizer.learning_rate": Range("log", 1e-4, 1.0)}}, "other parameters"),
        ({"monitor": "train_loss"}, "other monitor"),
        ({"base": {**BASE, "num_epochs": 5}}, "other `num_epochs`"),
        ({"base": {**BASE, "checkpoints": {**CHECKPOINTS, "load": "./weights.pt"}}}, "other `checkpoints.load`"),
    ],
)
def test_another_sweep_does_not_go_on_in_the_folder(tmp_path, change, told):
    opened(tmp_path, RATES)
    with pytest.raises(ConfigError, match=f"holds a sweep with {told}.*name another folder by --sweep-folder"):
        opened(tmp_path, **{"domains": RATES, **change})


def test_a_network_file_that_was_changed_makes_another_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("net1.json", "net2.json"):
        Path(name).write_text("{}")
    domains = {"layers": Choices(("./net1.json", "./net2.json"))}
    opened("sweep", domains)
    opened("sweep", domains)
    Path("net2.json").write_text("[]")
    with pytest.raises(ConfigError, match="holds a sweep with other content of `./net2.json`"):
        opened("sweep", domains)


def test_more_trials_another_sampler_and_other_outputs_go_on(tmp_path):
    complete(opened(tmp_path, RATES, {**BASE, "checkpoints": CHECKPOINTS}, num_trials=1))
    base = {**BASE, "tracking": "TensorBoard", "checkpoints": {**CHECKPOINTS, "save": None, "interval": 2}}
    study = opened(tmp_path, RATES, base, num_trials=2, sampler="random")
    assert complete(study).number == 1


def test_a_data_base_does_not_become_a_journal_in_silence(tmp_path):
    opened(tmp_path, RATES, storage="sqlite")
    with pytest.raises(ConfigError, match="sweep.storage: .*study.db` remembers this sweep.*leave `storage` out"):
        opened(tmp_path, RATES, storage="journal")


def test_two_sweeps_of_one_folder_are_told_apart(tmp_path):
    one = opened(tmp_path, RATES).identity
    assert opened(tmp_path, RATES).identity == one
    (tmp_path / "study.journal").unlink()
    assert opened(tmp_path, RATES).identity != one


def test_a_study_that_cannot_be_written_any_more_is_told(tmp_path):
    study = opened(tmp_path, RATES, storage="sqlite")
    trial = study.next()
    (tmp_path / "study.db").write_text("no data base\n" * 1000)
    with pytest.raises(RmldnnError, match=f"cannot write the study in `{tmp_path}`: .*; the same command goes on"):
        study.tell(trial, Outcome("complete", 1.0, 1, 1))


def test_a_folder_that_cannot_be_locked_is_told(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ConfigError, match=f"--sweep-folder: cannot write to `{tmp_path}`"):
        opened(tmp_path, RATES)


def test_others_who_share_the_folder_may_lock_it_too(tmp_path):
    before = os.umask(0)
    try:
        opened(tmp_path, RATES, storage="journal").next()
    finally:
        os.umask(before)
    locks = [tmp_path / name for name in (".lock", "study.lock", "trials/0/.worker")]
    assert {stat.S_IMODE(lock.stat().st_mode) for lock in locks} == {0o666}


@pytest.mark.parametrize("name", ["study.db", "study.journal"])
def test_a_damaged_study_is_told(tmp_path, name):
    (tmp_path / name).write_text("no data base\n" * 1000)
    with pytest.raises(ConfigError, match=rf"{name}` cannot be read: .*name another folder by --sweep-folder"):
        opened(tmp_path, RATES, storage="sqlite" if name == "study.db" else "journal")


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
