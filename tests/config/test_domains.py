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
    ],
)
def test_faults_are_told(given, message):
    (fault,) = faults("sweep.key", given)
    assert message in str(fault)


def test_one_and_true_are_two_values():
    assert list(faults("sweep.key", [1, True])) == []
