"""What parameters of a sweep may be."""

import pytest

from rmldnn.config.domains import Choices, Range, domain, faults


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([1e-3, "adam", None], Choices((1e-3, "adam", None))),
        ({"log": [1e-5, 1e-2]}, Range("log", 1e-5, 1e-2)),
        ({"uniform": [0, 1], "step": 0.25}, Range("uniform", 0, 1, 0.25)),
        ({"log_integer": [16, 128]}, Range("log_integer", 16, 128)),
    ],
)
def test_domains_are_read(given, wanted):
    assert list(faults("sweep.key", given)) == []
    assert domain(given) == wanted


def test_bounds_of_numbers_are_no_integers():
    assert [type(value) for value in domain({"uniform": [0, 1]}).probes] == [float, float]
    assert [type(value) for value in domain({"integer": [0, 1]}).probes] == [int, int]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "sweep.key: must be a list of values, or a range"),
        (3, "sweep.key: must be a list of values, or a range"),
        ([1, 2, 1], "sweep.key: names 1 twice"),
        ({}, "sweep.key: must be a list of values, or a range"),
        ({"uniform": [0, 1], "log": [1, 2]}, "with one of `uniform`, `log`, `integer`, `log_integer`"),
        ({"logg": [1, 2]}, "sweep.key.logg: `logg`: no kind of range; did you mean `log`?"),
        ({"log": [1e-2, 1e-5]}, "sweep.key.log: must begin with the least"),
        ({"log": [0, 1]}, "sweep.key.log: must be greater than 0 throughout, got [0, 1]; `uniform` may begin with 0"),
        ({"integer": [1, 2.5]}, "sweep.key.integer: must be a list of 2 integers"),
        ({"uniform": [1, True]}, "sweep.key.uniform: must be a list of 2 numbers"),
        ({"uniform": [1]}, "sweep.key.uniform: must be a list of 2 numbers"),
        ({"log": [1, 2], "step": 1}, "sweep.key.step: has no meaning"),
        ({"integer": [1, 9], "step": 0.5}, "sweep.key.step: must be a positive integer, got 0.5"),
        (
            {"integer": [0, 10], "step": 3},
            "sweep.key.step: must lead from 0 to 10, got 3; take another one, or end with 9",
        ),
        ({"uniform": [0, 1], "step": 0.3}, "step: must lead from 0 to 1, got 0.3; take another one, or end with 0.9"),
        ({"integer": [1, 2], "step": 3}, "sweep.key.step: must lead from 1 to 2, got 3; take another one"),
        ([1, "a", 1.0], "sweep.key: names 1.0 twice"),
    ],
)
def test_faults_are_told(given, message):
    (fault,) = faults("sweep.key", given)
    assert message in str(fault)


@pytest.mark.parametrize("given", [[1, True], [0, False], [[1], [True]], ["1", 1], ["[1]", [1]], [None, "null"]])
def test_values_of_several_kinds_are_several(given):
    assert list(faults("sweep.key", given)) == []


def test_a_step_of_tenths_leads_to_one():
    assert list(faults("sweep.key", {"uniform": [0, 1], "step": 0.1})) == []


def test_of_many_numbers_the_least_and_the_greatest_of_each_kind_are_tried():
    assert domain([5, *range(10, 50), 2, 0.5, 0.75]).probes == (5, 2, 49, 0.5, 0.75)
    assert domain([3, 1, 2]).probes == (3, 1, 2)
    assert len(domain([*range(20), "auto"]).probes) == 21
