"""Faults of trials in the words of the sweep."""

import json
from pathlib import Path

import pytest

from rmldnn.config import spec
from rmldnn.config.domains import domain
from rmldnn.config.sweep import own
from rmldnn.errors import Problem
from rmldnn.sweeps.faults import Faults
from rmldnn.sweeps.running import places
from rmldnn.sweeps.trial import Trial

SECTION = {"monitor": "test_IoU", "data.transforms": [[], [{"resize": [8, 8]}]], "optimizer": ["Adam", "SGD"]}
DOMAINS = {path: domain(given) for path, given in SECTION.items() if path != "monitor"}


@pytest.fixture
def faults(tmp_path, config):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"neural_network": {**config, "sweep": SECTION}}, indent=1))
    return Faults(spec.load(path), ["optimizer"])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("run_folder", "command line: --sweep-folder: is wrong"),
        ("checkpoints.save", "command line: --sweep-folder: is wrong"),
        ("optimizer", "command line: sweep.optimizer: is wrong"),
        ("optimizer.type", "command line: sweep.optimizer: is wrong (with optimizer.type)"),
        ("loss", "loss: is wrong"),
        ("", "is wrong"),
    ],
)
def test_a_problem_is_that_of_a_parameter(faults, path, told):
    assert str(faults.explained(Problem(path, "is wrong"), DOMAINS)) == told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("checkpoints.keep.best", "sweep.monitor: is wrong"),
        ("data.transforms[1][0]", "sweep.data.transforms: is wrong (with data.transforms[1][0])"),
    ],
)
def test_a_problem_of_the_file_has_its_line(faults, path, told):
    place, _, words = str(faults.explained(Problem(path, "is wrong"), DOMAINS)).partition(": ")
    assert words == told
    name, _, line = place.rpartition(":")
    key = words.partition(": ")[0].removeprefix("sweep.")
    assert f'"{key}"' in Path(name).read_text().splitlines()[int(line) - 1]


def test_whatever_the_sweep_sets_is_known_as_its_own(tmp_path):
    base = {"outfile": "out.txt", "data": {"test_output_path": "p", "hdf5_outfile": "h"}}
    for text in places(Trial(0, {}, tmp_path), base, "test_loss"):
        assert own(text.partition("=")[0]), text
    assert own("checkpoints.keep.best") == "sweep.monitor"
    assert own("checkpoints.keeping") is None
