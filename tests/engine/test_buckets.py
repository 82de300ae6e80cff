"""Gradients summed by buckets during the backward pass: the numbers of one sum behind it."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from test_partitioned import run
from torch import nn

from rmldnn.engine.buckets import FIRST, Buckets, divided
from rmldnn.engine.zero import Zero

MANY = 10**9


def parameters(*sizes, dtype=torch.float32):
    return [nn.Parameter(torch.empty(size, dtype=dtype, device="meta")) for size in sizes]


def sizes(buckets):
    return [[each.numel() for each in bucket] for bucket in buckets]


def test_buckets_go_from_the_last_parameter_to_the_first():
    assert sizes(divided(parameters(1, 2, 3, 4, 5), 6)) == [[5, 4], [3, 2, 1]]


def test_a_large_parameter_fills_a_bucket():
    assert sizes(divided(parameters(2, 100, 1), 10)) == [[1, 100], [2]]


def test_the_first_bucket_is_small():
    assert sizes(divided(parameters(1, FIRST, FIRST, FIRST), MANY)) == [[FIRST], [FIRST, FIRST, 1]]


def test_a_bucket_has_numbers_of_one_type():
    mixed = [*parameters(1, 2), *parameters(3, dtype=torch.float64), *parameters(4)]
    assert sizes(divided(mixed, MANY)) == [[4], [3], [2, 1]]


@pytest.mark.parametrize("key", ["comms_logger", "communication_data_type", "prescale_gradients"])
def test_settings_of_deepspeeds_sum_leave_it_to_deepspeed(key):
    assert Zero(raw={"dump_state": True}).overlapping
    assert not Zero(raw={key: 1}).overlapping


@pytest.mark.parametrize("zero", [Zero(1), Zero(overlap=False)])
def test_other_ways_leave_the_sum_to_deepspeed(zero):
    assert not zero.overlapping


@pytest.fixture
def group():
    """A process that is alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(80, 2))


INPUTS = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def loss(network):
    return network(INPUTS).square().sum()


def test_gradients_are_sent_as_soon_as_they_are_there(group, network):
    buckets, seen = Buckets(network.parameters(), 100), []
    weight, bias = network[3].parameters()
    network[1].weight.register_hook(lambda _: seen.append(same_memory(weight.grad, bias.grad)))
    with buckets.summing():
        loss(network).backward()
    assert seen == [True]


def same_memory(one, other):
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


@pytest.mark.parametrize("batches", [1, 3])
def test_gradients_of_all_batches_are_there(group, network, batches):
    (batches * loss(network)).backward()
    expected = [each.grad for each in network.parameters()]
    network.zero_grad()
    buckets = Buckets(network.parameters(), 100)
    for _ in range(batches - 1):
        loss(network).backward()
    with buckets.summing():
        loss(network).backward()
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_gradients_keep_the_order_of_their_parameters_in_memory(group, network):
    network.to(memory_format=torch.channels_last)
    with Buckets(network.parameters(), 100).summing():
        loss(network).backward()
    assert [each.grad.stride() for each in network.parameters()] == [each.stride() for each in network.parameters()]


def test_parameters_that_are_not_used_have_a_gradient_of_zero(group, network):
    spare = nn.Parameter(torch.ones(3))
    buckets = Buckets([*network.parameters(), spare], MANY)
    for _ in range(2):
        with buckets.summing():
            loss(network).backward()
        spare.grad.fill_(1.0)  # what is left in memory
        for parameter in (*network.parameters(), spare):
            parameter.grad = None
    with buckets.summing():
        loss(network).backward()
    assert spare.grad.tolist() == [0, 0, 0]


def test_a_gradient_that_comes_twice_is_refused(group, network):
    with pytest.raises(RuntimeError, match="came twice"), Buckets(network.parameters(), 1).summing():
        loss(network).backward()
        loss(network).backward()


WAYS = {
    "SGD": {},
    "one bucket": {"engine": {"bucket_size": MANY}},
    "LAMB": {"optimizer": "LAMB"},
    "accumulated": {"batch_size": 4, "compute": {"accumulate": 2}},
    "clipped, averaged": {"compute": {"gradient_clip": 0.5, "ema": 0.9}},
    "fp16": {"compute": {"precision": "fp16"}},
    "channels last": {"compute": {"channels_last": True}},
    "recomputed": {"network": "traced", "compute": {"activation_checkpointing": True}},
    "compiled": {"compute": {"compile": True}},
    "partly used": {"network": "partly"},
}
FEW = 100
"""Numbers of a bucket, so that there are three."""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Losses and norms of two processes in every way, by buckets and by DeepSpeed's sum behind the backward pass."""
    ours = [{**way, "engine": {"bucket_size": FEW, **way.get("engine", {})}} for way in WAYS.values()]
    theirs = [{**way, "engine": {"overlap": False}} for way in WAYS.values()]
    results = run(tmp_path_factory.mktemp("buckets"), 2, [*ours, *theirs], quietly=False)  # torch.compile is not
    return dict(zip(WAYS, zip(results[: len(WAYS)], results[len(WAYS) :], strict=True), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "compiled"])
def test_buckets_give_the_numbers_of_deepspeed(two, way):
    ours, theirs = two[way]
    assert ours == theirs


@pytest.mark.slow
def test_compiled_networks_give_the_numbers_of_deepspeed(two):
    ours, theirs = two["compiled"]
    assert np.array(ours) == pytest.approx(np.array(theirs), abs=1e-5), "compiled twice, to other code"
