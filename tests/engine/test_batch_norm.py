"""Two processes normalise their shares of a batch as one does all of it."""

import json
import sys
from pathlib import Path

import pytest
import torch
from batch_norm_run import numbers
from test_parallel import finish, start

SCRIPT = str(Path(__file__).parent / "batch_norm_run.py")
CASES = {
    "no axes": {"axes": 0},
    "1D": {"axes": 1},
    "2D": {},
    "3D": {"axes": 3},
    "equal shares": {"shares": [4, 4]},
    "a sample each": {"axes": 0, "shares": [1, 1]},
    "first share empty": {"shares": [0, 4]},
    "last share empty": {"shares": [4, 0]},
    "no parameters": {"affine": False},
    "fixed parameters": {"fixed": True},
    "evaluated": {"train": False},
    "recomputed": {"depth": 4, "recompute": True},
    "ours": {"ours": {}},
    "one value": {"ours": {}, "axes": 0, "shares": [1, 0]},
    "weight alone": {"ours": {"center": False}},
    "bias alone": {"ours": {"scale": False}},
    "32 bits": {"dtype": "float32"},
    "ours with 32 bits": {"dtype": "float32", "ours": {}},
    "fused": {"dtype": "float32", "ours": {"fused": True}},
    "a mean far from zero": {"dtype": "float32", "mean": 100.0, "near": 1e-3},
    "autocast": {"dtype": "float32", "autocast": True, "near": 2e-2},
    "twice": {"twice": True},
    "twice, empty": {"twice": True, "shares": [4, 0]},
}
NEAR = {"float64": 1e-12, "float32": 1e-5}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What both processes made of each case."""
    path = tmp_path_factory.mktemp("batch_norm")
    given = json.dumps(list(CASES.values()))
    ended = finish([start([sys.executable, SCRIPT, str(path), str(rank), "2", given]) for rank in range(2)])
    assert [code for code, _, _ in ended] == [0, 0], ended
    return path


@pytest.fixture(params=CASES)
def case(request, folder):
    """What the processes made of a case, what one makes of it, and how close that is to be."""
    keys = CASES[request.param]
    place = list(CASES).index(request.param)
    tolerance = keys.get("near", NEAR[keys.get("dtype", "float64")])
    return [torch.load(folder / f"{rank}.pt")[place] for rank in range(2)], numbers(keys), tolerance


def close(ours, theirs, tolerance):
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)


def joined(both, what):
    return [torch.cat(parts) for parts in zip(*(one[what] for one in both), strict=True)]


def test_outputs_are_those_of_the_whole_batch(case):
    both, alone, tolerance = case
    close(joined(both, "outputs"), alone["outputs"], tolerance)


def test_gradients_of_inputs_are_those_of_the_whole_batch(case):
    both, alone, tolerance = case
    close(joined(both, "inputs"), alone["inputs"], tolerance)


def test_gradients_of_parameters_add_up_to_those_of_the_whole_batch(case):
    both, alone, tolerance = case
    for one, other, whole in zip(*(one["parameters"] for one in both), alone["parameters"], strict=True):
        close(one + other, whole, 100 * tolerance)  # sums over many values


def test_running_statistics_are_those_of_the_whole_batch_in_each(case):
    both, alone, tolerance = case
    for one in both:
        close(one["statistics"], alone["statistics"], tolerance)


def test_who_evaluates_asks_nobody(folder):
    close(torch.load(folder / "evaluated.pt"), numbers({"train": False, "shares": [4, 0]}), 0.0)
