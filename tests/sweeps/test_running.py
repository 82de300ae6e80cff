"""The process of a trial, in the place of which a few lines stand."""

import fcntl
import os
import shlex
import time

import pytest

from rmldnn.errors import RmldnnError
from rmldnn.output.run_folder import LOCK
from rmldnn.sweeps import running
from rmldnn.sweeps.running import Running
from rmldnn.sweeps.trial import Trial

BASE = {"data": {"test_output_path": "p"}, "outfile": "logs/out.txt", "num_epochs": 3}


@pytest.fixture
def run(tmp_path):
    """Starts a process that runs a text in the place of rmldnn."""

    def run(text, values=None, base=BASE, part=None):
        (tmp_path / "sitecustomize.py").write_text(f"import os, sys, time, signal\n{text}\nos._exit(0)")
        trial = Trial(0, values or {}, tmp_path / "sweep")
        trial.folder.mkdir(parents=True, exist_ok=True)
        return Running(trial, ["c.json"], {**os.environ, "PYTHONPATH": str(tmp_path)}, "test_loss", base, part)

    started = []
    yield lambda *given, **named: started.append(run(*given, **named)) or started[-1]
    for one in started:
        one.kill()


def outcome(one):
    while (found := one.look()) is None:
        time.sleep(0.01)
    return found


@pytest.mark.parametrize(
    ("text", "state", "failure"),
    [
        ("os._exit(255)", "failed", "ended with exit code 255"),
        ("os._exit(200)", "failed", "ended with exit code 200"),
        ("os._exit(1)", "failed", "ended with exit code 1"),
        ("print('rmldnn: error: loss: no', file=sys.stderr, flush=True); os._exit(2)", "failed", "loss: no"),
        ("print('Abort', flush=True); os._exit(1)", "failed", "Abort"),
        ("os.abort()", "failed", "ended by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "ended by SIGKILL"),
        ("os._exit(0)", "failed", "test_loss never was a number"),
    ],
)
def test_how_a_process_ended_is_told(run, text, state, failure):
    found = outcome(run(text))
    assert (found.state, found.failure, found.value) == (state, failure, None)


def test_what_the_sweep_sets_counts_more_than_values(run):
    one = run("", {"data.test_output_path": "./mine/", "outfile": "mine.txt"})
    outcome(one)
    words = shlex.split((one.trial.folder / "log.txt").read_text())
    last = {key: value for key, _, value in (word.partition("=") for word in words)}
    assert last["data.test_output_path"] == "null"
    assert last["outfile"] == f"'{one.trial.folder}/out.txt'"


def test_a_process_keeps_to_its_cores(run):
    mine = {min(os.sched_getaffinity(0))}
    outcome(one := run("print(os.sched_getaffinity(0), flush=True)", part=mine))
    assert str(mine) in (one.trial.folder / "log.txt").read_text()


def test_a_process_that_does_not_leave_is_ended(run, monkeypatch):
    monkeypatch.setattr(running, "_PATIENCE", 0.2)
    one = run("signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)")
    while "deaf" not in (one.trial.folder / "log.txt").read_text().splitlines():
        time.sleep(0.01)
    one.leave()
    assert not one.over
    while not one.over:
        time.sleep(0.01)
    assert outcome(one).failure == "ended by SIGKILL"


def test_what_the_study_raises_is_not_lost(run):
    one = run("time.sleep(600)")
    (one.trial.folder / "history.csv").write_text("epoch,train_loss,test_loss\n1,1,1\n")
    with pytest.raises(AttributeError):  # as it has no study
        one.look()
    assert one.trial.reported == set()


def test_the_last_epoch_is_not_judged(run):
    one = run("time.sleep(600)", {"num_epochs": 1})
    (one.trial.folder / "history.csv").write_text("epoch,train_loss,test_loss\n1,1,1\n")
    assert one.look() is None  # the study, which is not there, is not asked


def test_a_process_for_which_there_is_no_room_is_told(run, monkeypatch):
    def none(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", none)
    with pytest.raises(RmldnnError, match="cannot start the process of a trial: Resource temp.*take fewer --workers"):
        run("")


def test_a_run_that_does_not_let_go_of_its_folder_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_PATIENCE", 0.1)
    trial = Trial(0, {}, tmp_path / "sweep", goes_on=True)
    trial.folder.mkdir(parents=True)
    with (trial.folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RmldnnError, match="an earlier run still writes to"):
            Running(trial, [], dict(os.environ), "test_loss", BASE)
