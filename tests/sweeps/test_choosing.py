"""Who chooses the values of trials, and what these are called meanwhile."""

from itertools import combinations

import pytest

from rmldnn.config.domains import Choices, Range
from rmldnn.sweeps import choosing
from rmldnn.sweeps.settings import sweep

VALUES = (0, False, 1, True, "1", "true", None, "null", "[1]", [1], [True], {"a": 1}, '{"a": 1}', '"adam"', "adam")


def test_no_two_values_are_called_alike():
    for one, other in combinations(VALUES, 2):
        assert choosing.label(one) != choosing.label(other)


def test_words_and_numbers_are_called_what_they_are():
    assert [choosing.label(value) for value in ("adam", "./net.json", 1e-3, 8)] == ["adam", "./net.json", 1e-3, 8]


@pytest.mark.parametrize(
    ("settings", "grid", "kind"),
    [
        ({}, True, "NopPruner"),
        ({}, False, "MedianPruner"),
        ({"pruner": "median"}, True, "MedianPruner"),
        ({"pruner": "none"}, False, "NopPruner"),
        ({"pruner": "hyperband"}, True, "HyperbandPruner"),
        ({"pruner": "successive_halving"}, True, "SuccessiveHalvingPruner"),
    ],
)
def test_a_grid_is_pruned_only_if_that_is_wanted(settings, grid, kind):
    optuna = pytest.importorskip("optuna")
    assert type(choosing.pruner(optuna, sweep(**settings), {"num_epochs": 4}, grid=grid)).__name__ == kind


def test_domains_become_optunas():
    optuna = pytest.importorskip("optuna")
    made = [
        choosing.distribution(optuna, item)
        for item in (Choices(("a", [1])), Range("log_integer", 2, 9), Range("uniform", 0, 1, 0.5))
    ]
    assert made[0].choices == ("a", "[1]")
    assert (made[1].low, made[1].high, made[1].log) == (2, 9, True)
    assert (made[2].low, made[2].high, made[2].step, made[2].log) == (0.0, 1.0, 0.5, False)
