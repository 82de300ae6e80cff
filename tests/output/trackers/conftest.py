"""What the tests of all trackers share: a configuration, and a run that is killed and goes on."""

from __future__ import annotations

import json

import pytest

from rmldnn.output.trackers import tracker as module
from rmldnn.steps import EpochEnd, TrainStep
from tests.output.trackers.runs import CONFIG


@pytest.fixture
def config():
    return CONFIG


@pytest.fixture
def every_update(monkeypatch):
    """Makes trackers take every update, not just one in a second."""
    monkeypatch.setattr(module, "HOLD", 0.0)


@pytest.fixture
def feed():
    def feed(tracker, steps):
        for step in steps:
            tracker.consume(step)

    return feed


@pytest.fixture
def killed_and_resumed(every_update, feed, run):
    """A run of three epochs that is killed some steps after its state was saved, and goes on from that."""

    def go(make, saved, further, *, closed=True):
        steps = list(run(epochs=3))
        first = make()
        feed(first, steps[:saved])
        state = json.loads(json.dumps(first.state_dict()))
        feed(first, steps[saved : saved + further])
        first.close() if closed else first._flush()  # a thread of its own would not outlive a process
        position = saved
        while position and not isinstance(steps[position - 1], (TrainStep, EpochEnd)):
            position -= 1  # an evaluation that broke off comes again, the end of the training before it included
        second = make()
        second.load_state_dict(state)
        feed(second, steps[position:])
        second.close()

    return go
