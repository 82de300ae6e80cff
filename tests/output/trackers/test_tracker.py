"""Which numbers of a run a tracker is given, and when."""

from __future__ import annotations

import sys

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.output.trackers.mlflow import MLflow
from rmldnn.output.trackers.tensorboard import TensorBoard
from rmldnn.output.trackers.tracker import Tracker, parameters
from rmldnn.output.trackers.wandb import WandB
from rmldnn.steps import EvalEnd, TrainStep
from tests.output.trackers.runs import CONFIG, PARAMETERS


class Recorder(Tracker):
    """A service in memory."""

    def __init__(self, behind=(0, 0)):
        super().__init__()
        self.known = behind
        self.first = "not opened"
        self.rows = []
        self.ended = []

    def _open(self, first):
        self.first = first
        return self.known

    def _log(self, step, values):
        self.rows.append((step, values))

    def _flush(self):
        pass

    def _end(self, *, complete):
        self.ended.append(complete)


def test_updates_are_thinned_and_the_last_of_an_epoch_comes_with_its_end(feed, run):
    tracker = Recorder()
    feed(tracker, run(epochs=2))
    tracker.close()
    assert [(step, sorted(values)[0]) for step, values in tracker.rows] == [
        (1, "grad_norm"),
        (3, "grad_norm"),
        (3, "accuracy"),
        (6, "grad_norm"),
        (6, "accuracy"),
    ]
    assert tracker.rows[2][1] == {
        "epoch": 1,
        "train_loss": 0.5,
        "learning_rate": 0.01,
        "train_seconds": 3.0,
        "test_loss": pytest.approx(0.66031),
        "accuracy": 1.0,
        "test_seconds": 0.5,
    }


def test_every_update_is_given_once_if_they_are_slow(every_update, feed, run):
    tracker = Recorder()
    feed(tracker, run(epochs=2))
    tracker.close()
    assert [step for step, values in tracker.rows if "loss" in values] == [1, 2, 3, 4, 5, 6]


def test_tensors_that_are_not_given_are_not_read(run):
    tracker = Recorder()
    readable, unreadable = torch.tensor(0.5), torch.empty((), device="meta")
    tracker.consume(TrainStep(1, 1, 1, 9, 16, readable, readable, 0.1, 0.1))
    tracker.consume(TrainStep(1, 1, 2, 9, 16, unreadable, unreadable, 0.1, 0.1))
    assert len(tracker.rows) == 1


def test_metrics_that_are_numbers_are_given():
    tracker = Recorder()
    metrics = {"IoU": torch.tensor(0.5), "ConfusionMatrix": torch.ones(2, 2)}
    tracker.consume(EvalEnd(1, 1, 0.5, torch.tensor(0.25), None, metrics))
    tracker.close()
    assert tracker.rows == [(0, {"epoch": 1, "test_loss": 0.25, "test_seconds": 0.5, "IoU": 0.5})]


@pytest.mark.parametrize(("taken", "complete"), [(1, False), (5, False), (7, False), (13, False), (14, True)])
def test_a_run_is_complete_with_the_end_of_its_last_epoch(feed, run, taken, complete):
    tracker = Recorder()
    feed(tracker, list(run(epochs=2))[:taken])
    tracker.close()
    tracker.close()
    assert tracker.ended == [complete]


def test_a_complete_run_that_goes_on_for_more_epochs_is_complete_with_the_last_of_them(feed, run):
    state = {"step": 6, "update": {}, "complete": True}
    more = [step for step in run(epochs=3) if step.epoch == 3]
    for taken, complete in ((0, True), (2, False), (len(more), True)):
        tracker = Recorder()
        tracker.load_state_dict(state)
        feed(tracker, more[:taken])
        tracker.close()
        tracker.close()
        assert tracker.ended == [complete]


def test_a_service_that_takes_no_run_is_not_told_of_its_end():
    tracker = Recorder()

    def fail(first):
        raise ConfigError("no")

    tracker._open = fail
    with pytest.raises(ConfigError):
        tracker.consume(EvalEnd(1, 1, 0.5))
    tracker.close()
    assert tracker.ended == []


def test_a_run_that_only_evaluates_is_complete_with_that(feed, run):
    tracker = Recorder()
    feed(tracker, list(run(epochs=1, train=False))[:-1])
    tracker.close()
    assert tracker.ended == [True]


def test_a_run_without_a_step_is_none():
    tracker = Recorder()
    tracker.close()
    assert (tracker.first, tracker.ended) == ("not opened", [])


@pytest.mark.parametrize(("saved", "first"), [(2, 2), (3, 3), (5, 3), (7, 4)])
def test_a_run_that_goes_on_says_from_which_update(feed, run, saved, first):
    tracker, other = Recorder(), Recorder()
    steps = list(run(epochs=2))
    feed(tracker, steps[:saved])
    other.load_state_dict(tracker.state_dict())
    feed(other, steps[saved:])
    assert (tracker.first, other.first) == (None, first)


def test_what_a_service_keeps_is_not_given_again(every_update, feed, run):
    tracker = Recorder(behind=(5, 1))
    tracker.load_state_dict({"step": 0, "update": {}, "complete": False})
    feed(tracker, run(epochs=2))
    assert [(step, "loss" in values) for step, values in tracker.rows] == [(6, True), (6, False)]


def test_a_service_that_fails_ends_no_training_and_is_told_of_once(every_update, feed, run, caplog):
    tracker = Recorder()

    def fail(*_, **__):
        raise OSError("no route to host\nmore")

    tracker._log = tracker._end = fail
    feed(tracker, run())
    tracker.close()
    (record,) = caplog.records
    assert record.message == "Recorder misses numbers of this run, which `history.csv` has: no route to host"


def test_a_configuration_is_a_flat_list():
    assert dict(parameters(CONFIG)) == PARAMETERS


def test_a_model_as_an_object_is_no_parameter():
    assert dict(parameters({"layers": {"class_name": "Functional"}})) == {"layers": "a model"}


@pytest.mark.parametrize(
    ("tracker", "package", "extra"),
    [(TensorBoard, "tensorboard", "tensorboard"), (MLflow, "mlflow", "mlflow"), (WandB, "wandb", "wandb")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, tmp_path, tracker, package, extra):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"^tracking: `{tracker.__name__}` needs a package .*'rmldnn\[{extra}\]'"):
        tracker("run", str(tmp_path), {})
