"""Layers that draw random numbers in training: several processes learn what one would, whatever it takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from draws_run import LAYERS, main
from test_parallel import finish, srun

from rmldnn.engine.progress import Progress
from rmldnn.networks import draws
from rmldnn.steps import Batch
from rmldnn.tasks.task import Turn

SCRIPT = str(Path(__file__).parent / "draws_run.py")
WAYS = {
    **{name: {"layers": name} for name in LAYERS},
    "gan": {"layers": "gan"},
    "accumulated": {"layers": "dropout", "batch_size": 4, "compute": {"accumulate": 2}},
    "recomputed": {"layers": "normalised", "compute": {"activation_checkpointing": True}},
    "parts": {"layers": "normalised", "zero": 2},
}


def alone(folder, cases):
    """The losses of each case in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    main(folder, cases)
    torch.set_num_threads(before)
    return json.loads((folder / "1.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("draws")


@pytest.fixture(scope="module")
def expected(folder):
    """Every way in one process."""
    return dict(zip(WAYS, alone(folder, list(WAYS.values())), strict=True))


@pytest.fixture(scope="module", params=[2, 3])
def many(request, folder):
    """Every way in several processes."""
    world = request.param
    ended = finish(srun(folder, world, json.dumps(list(WAYS.values())), script=SCRIPT), timeout=300)
    assert all(code == 0 for code, _, _ in ended), ended
    return dict(zip(WAYS, json.loads((folder / f"{world}.json").read_text()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_losses_of_each_step_are_those_of_one_process(expected, many, way):
    assert np.array(many[way]) == pytest.approx(np.array(expected[way]), abs=1e-4)


def test_what_is_computed_twice_is_drawn_once(expected):
    assert expected["recomputed"] == expected["normalised"]


def objective(progress, name=""):
    """Draws for two samples, the fourth and the fifth of an epoch."""
    turn = Turn(lambda batch: draws.uniform(batch.inputs, 0, 1), name)
    drawn = progress.drawn(turn, torch.device("cpu"))
    return drawn(Batch(["a", "b"], torch.zeros(2, 5), None, 3, 2))


def test_an_objective_may_be_evaluated_again():
    progress = Progress(seed=1, epoch=2, seen=3)
    assert torch.equal(objective(progress), objective(progress))


@pytest.mark.parametrize(
    ("progress", "name"), [(Progress(seed=2, epoch=2), ""), (Progress(seed=1, epoch=1), ""), (Progress(1, 0, 2), "two")]
)
def test_every_seed_epoch_and_turn_has_other_numbers(progress, name):
    assert not (objective(progress, name) == objective(Progress(seed=1, epoch=2))).any()


def test_a_process_is_no_matter():
    assert torch.equal(objective(Progress(rank=1)), objective(Progress(rank=0)))
