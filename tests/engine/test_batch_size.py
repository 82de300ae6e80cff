import copy

import pytest
import torch
from small_run import classifier, digits
from torch import nn

from rmldnn.engine import batch_size
from rmldnn.engine.local import LocalEngine
from rmldnn.losses.nll import nll
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised

INPUTS, TARGETS = digits(1)
SAMPLE = Batch(["a"], INPUTS, TARGETS, 0, 1)


def found(network=None, count=10**6):
    return batch_size.automatic_batch_size(LocalEngine(), Supervised(nll), network or classifier(), SAMPLE, count)


def test_a_batch_is_a_power_of_two_within_the_set():
    size = found(count=12)
    assert size in (1, 2, 4, 8)


def test_weights_statistics_and_random_numbers_stay():
    network = nn.Sequential(nn.BatchNorm2d(1), *classifier())
    before, numbers = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    found(network, 4)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_memory_ends_the_search(monkeypatch):
    per_sample = 100_000  # bytes that the network keeps for one sample, about
    monkeypatch.setattr(batch_size, "free_bytes", lambda _: 10 * per_sample)
    assert found() <= 16


def test_a_device_out_of_memory_ends_the_search(monkeypatch):
    step = batch_size._step

    def limited(task, network, sample, size):
        if size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        step(task, network, sample, size)

    monkeypatch.setattr(batch_size, "_step", limited)
    assert found() <= 4


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_a_batch_that_does_not_pay_is_not_taken(monkeypatch, gain):
    clock = {"now": 0.0}
    monkeypatch.setattr(batch_size.time, "perf_counter", lambda: clock["now"])

    def step(task, network, sample, size):
        clock["now"] += 1.0 if size <= 8 else size / 8 / gain  # samples per second grow up to 8, no further

    monkeypatch.setattr(batch_size, "_step", step)
    assert found() == 8
