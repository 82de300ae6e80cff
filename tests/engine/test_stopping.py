import pytest
import torch

from rmldnn.engine.scores import Scores, better, require_scores
from rmldnn.engine.stopping import early_stopping
from rmldnn.errors import ConfigError
from rmldnn.steps import EvalEnd, TrainEnd


def scores(train=1.0, loss=None, accuracy=None, **metrics):
    seen = Scores()
    seen.follow(TrainEnd(1, 9, torch.tensor(train), 0.0, 0.1))
    if loss is not None:
        values = {name: torch.tensor(value) for name, value in metrics.items()}
        seen.follow(EvalEnd(1, 9, 0.0, torch.tensor(loss), torch.tensor(accuracy or 0.0), values))
    return seen


def ends(stopping, values):
    """The epoch that ends a training with these test losses."""
    return next((epoch for epoch, loss in enumerate(values, 1) if stopping.over(epoch, scores(loss=loss))), None)


def test_ends_so_many_epochs_behind_the_best():
    assert ends(early_stopping(patience=3), [5, 4, 3, 3.5, 3.2, 3.1, 2.0]) == 6


def test_a_better_epoch_in_time_goes_on():
    assert ends(early_stopping(patience=3), [5, 4, 4.5, 4.4, 3.9, 4, 4]) is None


def test_small_gains_do_not_count():
    assert ends(early_stopping(patience=2, min_delta=0.5), [5, 4.8, 4.6, 4.4]) == 3


def test_not_before_the_first_epochs():
    assert ends(early_stopping(patience=1, min_epochs=5), [1, 2, 3, 4, 5, 6]) == 5


def test_accuracy_is_better_when_it_is_more():
    stopping = early_stopping(monitor="test_accuracy", patience=2)
    accuracies = [0.5, 0.6, 0.7, 0.7, 0.7]
    assert [stopping.over(n, scores(loss=1.0, accuracy=a)) for n, a in enumerate(accuracies, 1)] == [False] * 4 + [True]


def test_a_number_that_the_run_does_not_have_is_told():
    with pytest.raises(ConfigError, match=r"early_stopping.monitor: this run has no `test_IoU`; it has `train_loss`"):
        early_stopping(monitor="test_IoU").over(1, scores())


def test_goes_on_with_the_training():
    first, second = early_stopping(patience=3), early_stopping(patience=3)
    assert ends(first, [5, 3, 4]) is None
    second.load_state_dict(first.state_dict())
    assert [second.over(epoch, scores(loss=4.0)) for epoch in (4, 5)] == [False, True]


@pytest.mark.parametrize(
    ("name", "less"),
    [(name, True) for name in ("test_loss", "train_loss", "test_MAE", "test_HD95", "test_HD95/liver", "test_HD95/a_b")]
    + [(name, False) for name in ("test_accuracy", "test_IoU", "test_IoU/loss of water", "test_PSNR")],
)
def test_which_of_two_is_better(name, less):
    assert better(name, 1.0, 2.0) == less
    assert better(name, 2.0, 1.0) != less


def test_tells_why_it_ends_and_what_was_best():
    stopping = early_stopping(patience=2)
    assert ends(stopping, [5, 3.2e-07, 4, 4]) == 4
    assert stopping.reason(4) == "after epoch 4: test_loss has not become better for 2 epochs; best 3.20e-07 in epoch 2"


def test_a_larger_patience_lets_it_go_on():
    first, second = early_stopping(patience=2), early_stopping(patience=3)
    assert ends(first, [5, 3, 4, 4]) == 4
    second.load_state_dict(first.state_dict())
    assert first.ended(4)
    assert not second.ended(4)


def test_the_best_of_another_number_is_forgotten():
    first, second = early_stopping(patience=2), early_stopping(monitor="test_accuracy", patience=2)
    assert ends(first, [5, 3, 4, 4]) == 4
    second.load_state_dict(first.state_dict())
    assert not second.ended(4)
    assert not second.over(5, scores(loss=1.0, accuracy=0.5))


def test_names_that_a_run_does_not_have_are_told_together():
    wanted = {"checkpoints.keep.best": "test_IoU", "early_stopping.monitor": "test_los", "other": None}
    with pytest.raises(ConfigError) as caught:
        require_scores(wanted, ["train_loss", "test_loss"])
    assert [problem.path for problem in caught.value.problems] == ["checkpoints.keep.best", "early_stopping.monitor"]
    assert "test set" not in str(caught.value)


def test_a_run_without_a_test_set_says_so():
    with pytest.raises(ConfigError, match="it has `train_loss`, as there is no test set with targets"):
        require_scores({"early_stopping.monitor": "test_IoU"}, ["train_loss"])


@pytest.mark.parametrize("name", ["test_loss", "test_IoU"])
def test_what_is_no_number_is_never_best(name):
    nothing = float("nan")
    assert better(name, 5.0, nothing)
    assert not better(name, nothing, 5.0)
    assert not better(name, nothing, nothing)


def test_a_number_is_better_than_a_first_one_that_is_none():
    assert ends(early_stopping(patience=2), [float("nan"), 5, 4, 3, 2]) is None
