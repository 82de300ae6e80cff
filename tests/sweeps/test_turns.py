"""Whose turn it is, on trials as Optuna has them."""

from types import SimpleNamespace

from rmldnn.config.domains import Choices
from rmldnn.sweeps import turns
from rmldnn.sweeps.space import Space

GRID = Space({"optimizer": Choices(("adam", "sgd")), "deterministic": Choices((False, True))})


def tried(*trials):
    """Trials of Optuna's by number in the sweep and state, in their order."""
    return [
        SimpleNamespace(
            number=position,
            user_attrs={turns.NUMBER: number, **facts},
            system_attrs={},
            state=SimpleNamespace(name=state),
            params=params,
        )
        for position, (number, state, params, facts) in enumerate(trials)
    ]


def test_of_several_tries_the_last_counts():
    trials = tried((0, "FAIL", {}, {}), (1, "COMPLETE", {}, {}), (0, "COMPLETE", {}, {}))
    assert {number: found.number for number, found in turns.latest(trials).items()} == {0: 2, 1: 1}
    assert turns.failed(trials) == {}


def test_what_was_tried_least_comes_first_and_nothing_is_tried_four_times():
    fails = [(number, "FAIL", {}, {}) for number in (0, 1, 2, 0, 1, 3, 1)]
    assert list(turns.failed(tried(*fails))) == [2, 3, 0]
    assert turns.given_up(tried(*fails)) == 1


def test_new_trials_come_before_those_that_failed():
    trials = tried((0, "FAIL", {"a": 1}, {}))
    assert turns.following(turns.latest(trials), 2, None, turns.failed(trials)) == (1, {})
    assert turns.following(turns.latest(trials), 1, None, turns.failed(trials)) == (0, {"a": 1})
    assert turns.following(turns.latest(trials), 1, None, {}) is None


def test_what_another_worker_tries_again_is_nobody_elses():
    trials = tried((0, "FAIL", {}, {}))
    failed = turns.failed(trials)
    again = tried((0, "FAIL", {}, {}), (0, "RUNNING", {}, {}))
    assert turns.following(turns.latest(again), 1, None, failed) is None


def test_a_grid_goes_on_with_the_first_combination_that_is_not_there():
    trials = tried((0, "COMPLETE", {"optimizer": "adam", "deterministic": "false"}, {}))
    wanted = turns.following(turns.latest(trials), 4, GRID, {})
    assert wanted == (1, {"optimizer": "adam", "deterministic": "true"})


def test_a_copy_is_never_copied():
    trials = tried((0, "COMPLETE", {"a": 1}, {"copy_of": 2}), (2, "COMPLETE", {"a": 1}, {"copy_of": None}))
    assert turns.completed(turns.latest(trials), {"a": 1}) == 2
    assert turns.completed(turns.latest(trials), {"a": 2}) is None
