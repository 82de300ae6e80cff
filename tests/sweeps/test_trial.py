"""What a trial's history says of it."""

import pytest

from rmldnn.sweeps.trial import Outcome, Trial

HISTORY = """\
epoch,train_loss,learning_rate,train_seconds,test_loss,accuracy,test_seconds,IoU
1,2.0,0.1,1.5,1.0,0.5,0.5,0.25
2,1.0,0.1,1.5,nan,0.75,0.5,0.5
3,0.5,0.1,1.5,0.5,0.75,0.5,
4,0.25,0.1,1."""


@pytest.fixture
def trial(tmp_path):
    trial = Trial(0, {}, tmp_path)
    trial.folder.mkdir(parents=True)
    (trial.folder / "history.csv").write_text(HISTORY)
    return trial


@pytest.mark.parametrize(
    ("monitor", "value", "epoch"),
    [
        ("train_loss", 0.5, 3),
        ("test_loss", 0.5, 3),
        ("test_accuracy", 0.75, 2),  # the first of equals
        ("test_iou", 0.5, 2),
        ("test_dice", None, 0),
    ],
)
def test_the_best_epoch_counts(trial, monitor, value, epoch):
    assert trial.measured(monitor) == Outcome("complete", value, epoch, 3, 6.0)


def test_half_a_row_is_no_epoch(trial):
    assert trial.scores("train_loss") == {1: 2.0, 2: 1.0, 3: 0.5}


def test_a_run_without_history_has_come_to_nothing(tmp_path):
    assert Trial(0, {}, tmp_path).measured("test_loss") == Outcome("complete")


def test_what_a_run_did_after_it_was_given_up_does_not_count(trial):
    trial.reported, trial.hopeless = {1, 2}, True
    assert trial.measured("test_loss") == Outcome("complete", 1.0, 1, 2, 4.0)
