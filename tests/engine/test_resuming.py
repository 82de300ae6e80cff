"""Saving the state of a training, and going on from it, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rmldnn.engine import states
from rmldnn.engine.checkpoint import Checkpoints
from rmldnn.engine.compute import Compute
from rmldnn.engine.guard import Guard
from rmldnn.engine.leaving import Leave
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.progress import Progress
from rmldnn.engine.resuming import Resumable
from rmldnn.engine.terms import Terms
from rmldnn.schedulers.schedule import Schedule
from rmldnn.steps import TrainStep

ENGINE = LocalEngine(torch.device("cpu"))
STEP = TrainStep(2, 3, 1, 2, 6, torch.tensor(0.5), torch.tensor(0.1), 0.0, 0.0, [])


def resumable(folder, *, per=None, interval=0.0):
    """Of a training that is in epoch 2, behind 6 samples."""
    network = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    parts = {"schedule": Schedule(optimizer, lambda done: 0.5**done, per=per)} if per else {}
    engine = LocalEngine(torch.device("cpu"))
    terms = Terms.of(network, optimizer)
    engine.prepare(network, optimizer, Compute())
    folder.mkdir(exist_ok=True)
    progress, guard = Progress(epoch=2, seen=6), Guard(engine, folder, eager=True)
    checkpoints = Checkpoints(None, 1, state_interval=interval)
    made = Resumable(folder, engine, network, terms, progress, parts, {}, checkpoints, guard, Leave())
    return made, optimizer


@pytest.fixture
def state(tmp_path):
    """A state in the middle of epoch 2, of a training without schedule."""
    resumable(tmp_path)[0].consume(STEP)
    return states.newest(ENGINE, tmp_path)


@pytest.mark.parametrize(("per", "rate"), [("step", 0.1 * 0.5**1.5), ("epoch", 0.1 * 0.5)])
def test_a_schedule_that_is_put_in_within_an_epoch_begins_there(tmp_path, state, per, rate):
    made, optimizer = resumable(tmp_path, per=per)
    made.resume(state, share=lambda seen: seen / 12)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)


def test_a_schedule_that_moves_by_updates_from_now_on_begins_within_the_epoch(tmp_path):
    before, _ = resumable(tmp_path, per="epoch")
    before._parts["schedule"].step(1)
    before.consume(STEP)
    made, optimizer = resumable(tmp_path, per="step")
    made.resume(states.newest(ENGINE, tmp_path), share=lambda seen: seen / 12)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**1.5)


def kept(folder):
    return [path.name for path in states.found(folder)]


def other(folder, epoch):
    states.save(ENGINE, folder, epoch, 0, {"run": {}}, {})


def test_a_new_run_removes_older_states_with_its_first_step_and_not_before(tmp_path):
    other(tmp_path, 7)
    made, _ = resumable(tmp_path, interval=1e9)
    assert kept(tmp_path) == ["epoch_7_sample_0"]
    made.consume(STEP)
    assert kept(tmp_path) == []


def test_a_run_that_goes_on_keeps_its_state_and_none_that_is_further(tmp_path, state):
    other(tmp_path, 1)
    other(tmp_path, 7)
    made, _ = resumable(tmp_path, interval=1e9)
    made.resume(state)
    made.consume(STEP)
    assert kept(tmp_path) == ["epoch_1_sample_0", "epoch_2_sample_6"]


def test_a_state_of_another_folder_takes_the_place_of_all_that_are_there(tmp_path, state):
    other(tmp_path / "there", 1)
    made, _ = resumable(tmp_path / "there", interval=1e9)
    made.resume(state)
    made.consume(STEP)
    assert kept(tmp_path / "there") == []
