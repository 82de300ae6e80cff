"""How trials are run, seen on processes that end as real ones do, in no time."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from rmldnn.config.domains import Choices
from rmldnn.errors import RmldnnError
from rmldnn.sweeps.driver import Plan, described, drive
from rmldnn.sweeps.trial import Outcome, Trial
from tests.sweeps.test_study import opened

FOUR = {"layers": Choices(("a.json", "b.json", "c.json", "d.json"))}
PROGRAM = """
import os, re, signal, sys
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

    def driven(text, study=None):
        (tmp_path / "sitecustomize.py").write_text(PROGRAM + text)
        study = study or opened(tmp_path / "sweep", FOUR)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        drive(study, Plan([], {"data": {}}, "test_loss", 1, [], environment), lambda *_: None)
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
    with pytest.raises(RmldnnError, match="3 trials failed alike.*no space left on `/model`; see `.*trials/2/log.txt`"):
        driven("failed(f'no space left on `{folder}/model`')")


def test_trials_that_fail_each_in_its_own_way_do_not(driven):
    outcomes = driven("failed(f'no such file: {value}') if value != 'd.json' else done()")
    assert [outcome.state for outcome in outcomes.values()] == ["failed", "failed", "failed", "complete"]


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
