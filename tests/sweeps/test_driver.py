"""How trials are run, seen on processes that end as real ones do, in no time."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from rmldnn.config.domains import Choices
from rmldnn.engine import cores
from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.sweeps.driver import Plan, described, drive
from rmldnn.sweeps.trial import Outcome, Trial
from tests.sweeps.test_study import opened

FOUR = {"layers": Choices(("a.json", "b.json", "c.json", "d.json"))}
PROGRAM = """
import os, re, signal, sys, time
from pathlib import Path
line = " ".join(sys.orig_argv)
folder = Path(re.search("run_folder='(.*?)'", line)[1])
value = re.search("layers='(.*?)'", line)[1]
def done():
    (folder / "history.csv").write_text("epoch,train_loss,train_seconds,test_loss,test_seconds\\n1,1,1,0.5,1\\n")
    os._exit(0)
def failed(words):
    print("rmldnn: error:", words, file=sys.stderr, flush=True)
    os._exit(2)
def killed(number):
    os._exit(130) if number == signal.SIGINT else os.kill(os.getpid(), number)
"""


@pytest.fixture
def driven(tmp_path):
    """Drives a sweep whose trials do what a text says, in the place of rmldnn; outcomes by number."""

    def driven(text, study=None, workers=1, ended=lambda *_: None, **more):
        (tmp_path / "sitecustomize.py").write_text(PROGRAM + text)
        study = study or opened(tmp_path / "sweep", FOUR)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        drive(study, Plan([], {"data": {}}, "test_loss", workers, [], environment, **more), ended)
        return {trial.number: outcome for trial, outcome in study.trials()}

    return driven


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGKILL])
def test_a_trial_that_something_else_ended_goes_on(driven, tmp_path, number):
    outcomes = driven(
        f"""
if value == "b.json" and not (folder / "state").exists():
    (folder / "state/epoch_1_sample_8").mkdir(parents=True)
    killed({int(number)})
assert value != "b.json" or "checkpoints.resume='auto'" in line
done()
"""
    )
    assert {outcome.state for outcome in outcomes.values()} == {"complete"}
    assert (tmp_path / "sweep/trials/1/log.txt").read_text().count("$ ") == 2


def test_a_trial_that_is_always_killed_fails_in_the_end(driven):
    outcomes = driven(f"if value == 'b.json': killed({int(signal.SIGKILL)})\ndone()")
    assert [outcome.state for outcome in outcomes.values()] == ["complete", "failed", "complete", "complete"]
    assert outcomes[1].failure == "ended by SIGKILL, again and again"


def test_trials_that_fail_alike_end_the_sweep(driven):
    with pytest.raises(
        RmldnnError, match="3 trials failed alike.*no space left on `.*trials/2/model`; see `.*trials/2/log.txt`"
    ):
        driven("failed(f'no space left on `{folder}/model`')")


def test_trials_that_fail_each_in_its_own_way_do_not(driven):
    outcomes = driven("failed(f'no such file: {value}') if value != 'd.json' else done()")
    assert [outcome.state for outcome in outcomes.values()] == ["failed", "failed", "failed", "complete"]


TWELVE = {"layers": Choices(tuple(f"{letter}.json" for letter in "abcdefghijkl"))}


def test_many_trials_that_fail_alike_end_a_sweep_that_began_well(driven, tmp_path):
    with pytest.raises(RmldnnError, match="10 trials failed alike: no room; see `.*trials/11/log.txt`"):
        driven("done() if value in ('a.json', 'b.json') else failed('no room')", opened(tmp_path / "sweep", TWELVE))


def test_a_success_between_them_gives_hope(driven, tmp_path):
    outcomes = driven("done() if value in 'a.json f.json' else failed('no room')", opened(tmp_path / "sweep", TWELVE))
    assert len(outcomes) == 12


@pytest.mark.parametrize("code", [255, 200])
def test_a_code_that_is_no_signal_ends_no_sweep(driven, code):
    outcomes = driven(f"os._exit({code}) if value == 'b.json' else done()")
    assert [outcome.state for outcome in outcomes.values()] == ["complete", "failed", "complete", "complete"]
    assert outcomes[1].failure == f"ended with exit code {code}"


def test_no_trial_starts_once_a_file_was_changed_and_running_ones_end(driven, tmp_path):
    study = opened(tmp_path / "sweep", FOUR)
    answers = [[], [], ["net.json"]]
    told = "`net.json` changed meanwhile, so further trials would not compare with the 2 that are over; restore what"
    with pytest.raises(ConfigError, match=told):
        driven("time.sleep(0.3); done()", study, workers=2, changed=lambda: answers.pop(0))
    assert {trial.number: outcome.state for trial, outcome in study.trials()} == {0: "complete", 1: "complete"}
    assert {*driven("done()", opened(tmp_path / "sweep", FOUR))} == {0, 1, 2, 3}, "the same command goes on"


def test_files_are_not_asked_for_where_nothing_starts(driven, tmp_path):
    driven("done()")
    outcomes = driven("done()", opened(tmp_path / "sweep", FOUR), changed=lambda: ["net.json"])
    assert {*outcomes} == {0, 1, 2, 3}


LEAVING = """
def leave(*_):
    (folder / "state/epoch_1_sample_8").mkdir(parents=True)
    os._exit(143)
if value == "a.json":
    signal.signal(signal.SIGTERM, leave)
    (folder / "ready").touch()
    time.sleep(600)
while not (folder.parent / "0/ready").exists():
    time.sleep(0.01)
done()
"""


def test_an_error_of_the_sweep_lets_trials_save_their_states(driven, tmp_path):
    def ended(*_):
        raise RmldnnError("a full disk")

    with pytest.raises(RmldnnError, match="a full disk"):
        driven(LEAVING, workers=2, ended=ended)
    assert (tmp_path / "sweep/trials/0/state/epoch_1_sample_8").exists()


def test_states_are_there_until_the_study_knows_of_the_end(driven, tmp_path, monkeypatch):
    study = opened(tmp_path / "sweep", FOUR)

    def refuse(*_):
        raise RmldnnError("the study cannot be written")

    monkeypatch.setattr(study.optunas, "tell", refuse)
    with pytest.raises(RmldnnError):
        driven("(folder / 'state/epoch_1_sample_8').mkdir(parents=True); done()", study)
    assert (tmp_path / "sweep/trials/0/state/epoch_1_sample_8").exists()


def test_workers_share_out_cores(monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: {0, 1, 2, 3})
    monkeypatch.setattr(cores, "quota", lambda: None)
    plan = Plan([], {}, "test_loss", 2, [], {})
    assert {frozenset(plan.part(slot)) for slot in range(2)} == {frozenset({0, 1}), frozenset({2, 3})}
    assert plan.surroundings(0) == {}, "a run counts the cores that it may use"
    assert Plan([], {}, "test_loss", 1, [], {}).part(0) is None


@pytest.mark.parametrize(
    ("workers", "procs", "quota", "threads"), [(2, 1, 4.0, "2"), (2, 2, 4.0, "1"), (2, 1, 1.5, "1"), (9, 1, None, "1")]
)
def test_threads_are_as_many_as_pay(monkeypatch, workers, procs, quota, threads):
    monkeypatch.setattr(cores, "usable", lambda: set(range(8)))
    monkeypatch.setattr(cores, "quota", lambda: quota)
    plan = Plan([], {}, "test_loss", workers, [], {}, procs)
    assert plan.surroundings(1) == {"OMP_NUM_THREADS": threads}
    mine = Plan([], {}, "test_loss", workers, [], {"OMP_NUM_THREADS": "7"}, procs)
    assert mine.surroundings(1) == {"OMP_NUM_THREADS": "7"}, "what the user says counts"


def test_workers_share_out_gpus():
    plan = Plan([], {}, "test_loss", 2, ["4", "5", "6"], {})
    assert [plan.surroundings(slot) for slot in range(2)] == [
        {"CUDA_VISIBLE_DEVICES": "4,6"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    crowded = Plan([], {}, "test_loss", 3, ["4", "5"], {})
    assert [crowded.surroundings(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["4", "5", "4"]
    assert plan.part(0) is None


def test_what_failed_for_a_passing_reason_is_made_good_by_the_same_command(driven, tmp_path):
    with pytest.raises(RmldnnError):
        driven("failed('no room')")
    outcomes = driven("done()", opened(tmp_path / "sweep", FOUR))
    assert [outcome.state for outcome in outcomes.values()] == ["complete"] * 4


def test_faults_of_a_trial_are_told_in_the_words_of_the_user(driven):
    words = [
        "command line: run_folder: cannot write to `x`",
        "command line: checkpoints.keep.best: this run has no `x`",
        "command line: layers: there is no `c.json`",
        "config.json:3: loss: is wrong",
    ]
    assert [outcome.failure for outcome in driven(f"failed({words}['abcd'.index(value[0])])").values()] == [
        "--sweep-folder: cannot write to `x`",
        "sweep.monitor: this run has no `x`",
        "layers: there is no `c.json`",
        "config.json:3: loss: is wrong",
    ]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome("failed", failure="no room"), "Trial 3 failed (optimizer.learning_rate=1e-05): no room"),
        (
            Outcome("complete", 0.25, 1, 2),
            "Trial 3 complete, test_loss 0.2500 in epoch 1 of 2 (optimizer.learning_rate=1e-05)",
        ),
    ],
)
def test_how_a_trial_ended_is_a_line(outcome, told):
    assert described(Trial(3, {"optimizer.learning_rate": 1e-5}, Path()), outcome, "test_loss") == told
