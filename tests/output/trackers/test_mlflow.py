"""What MLflow reads is what the run was."""

from __future__ import annotations

import threading

import pytest
import torch

from rmldnn.errors import ConfigError
from rmldnn.output.trackers.mlflow import MLflow
from rmldnn.steps import EvalEnd
from tests.output.trackers.runs import LOSSES, PARAMETERS, PLACES, TEST_LOSSES

mlflow = pytest.importorskip("mlflow")


@pytest.fixture
def make(tmp_path, config, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the server that needs no server
    uri = (tmp_path / "store").as_uri()

    def make(**keys):
        return MLflow("config-2", str(tmp_path), config, tracking_uri=uri, **keys)

    make.uri = uri
    return make


def runs(uri):
    client = mlflow.MlflowClient(uri)
    return client, client.search_runs([client.get_experiment_by_name("rmldnn").experiment_id])


def scalars(uri, name):
    client, (run,) = runs(uri)
    points = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
    assert len(dict(points)) == len(points)
    return dict(points)


def test_scalars_parameters_and_status(make, every_update, feed, run):
    tracker = make()
    feed(tracker, run(epochs=3))
    tracker.close()
    assert scalars(make.uri, "loss") == pytest.approx(LOSSES)
    assert scalars(make.uri, "test_loss") == TEST_LOSSES
    _, (kept,) = runs(make.uri)
    assert kept.data.params == {key: str(value) for key, value in PARAMETERS.items()}
    assert (kept.info.status, kept.info.run_name) == ("FINISHED", "config-2")


@PLACES
@pytest.mark.parametrize("closed", [True, False])
def test_a_run_that_was_killed_goes_on_without_a_gap_or_a_double_point(
    make, killed_and_resumed, saved, further, closed
):
    killed_and_resumed(make, saved, further, closed=closed)
    assert scalars(make.uri, "loss") == pytest.approx(LOSSES)
    assert scalars(make.uri, "train_loss") == pytest.approx({3: 0.5, 6: 0.25, 9: 0.5 / 3})
    assert scalars(make.uri, "test_loss") == TEST_LOSSES
    assert runs(make.uri)[1][0].info.status == "FINISHED"


def test_a_run_that_breaks_off_has_failed(make, feed, run):
    tracker = make(run_name="mine")
    feed(tracker, list(run(epochs=3))[:9])
    tracker.close()
    _, (kept,) = runs(make.uri)
    assert (kept.info.status, kept.info.run_name) == ("FAILED", "mine")


def test_a_run_that_begins_anew_in_the_same_folder_is_another_one(make, feed, run):
    for _ in range(2):
        tracker = make()
        feed(tracker, run(epochs=1))
        tracker.close()
    assert len(runs(make.uri)[1]) == 2


def test_names_are_put_in_letters_that_it_takes(make):
    tracker = make()
    tracker.consume(EvalEnd(1, 1, 0.5, torch.tensor(0.5), None, {"IoU/a,(b)": torch.tensor(0.25)}))
    tracker.close()
    assert scalars(make.uri, "IoU/a__b_") == {0: 0.25}


def test_a_slow_server_slows_no_training_and_gets_everything(make, every_update, feed, run):
    tracker = make()
    steps = list(run(epochs=3))
    tracker.consume(steps[0])
    tracker._flush()
    answer, taken = threading.Event(), tracker._client.log_batch
    tracker._client.log_batch = lambda *arguments, **keys: (answer.wait(), taken(*arguments, **keys))
    feed(tracker, steps[1:])
    assert scalars(make.uri, "loss") == pytest.approx({1: LOSSES[1]})
    answer.set()
    tracker.close()
    assert scalars(make.uri, "loss") == pytest.approx(LOSSES)


def test_what_a_server_does_not_take_is_given_later(make, every_update, feed, run, caplog):
    tracker = make()
    steps = list(run(epochs=3))
    tracker.consume(steps[0])
    tracker._flush()
    taken = tracker._client.log_batch

    def fail(*_, **__):
        raise OSError("no route to host")

    tracker._client.log_batch = fail
    feed(tracker, steps[1:10])
    tracker.state_dict()
    tracker._client.log_batch = taken
    feed(tracker, steps[10:])
    tracker.close()
    assert [record.message for record in caplog.records if record.name == "rmldnn"] == [
        "MLflow misses numbers of this run, which `history.csv` has: no route to host"
    ]
    assert scalars(make.uri, "loss") == pytest.approx(LOSSES)


def test_no_server_is_a_fault_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"^tracking: `MLflow` does not take the run: .*; name its server by `track"):
        MLflow("run", str(tmp_path), {}, tracking_uri="nonsense://host")
