"""The model of `rmldnn scale`, against sums on paper."""

import statistics
from dataclasses import replace

import numpy as np
import pytest

from rmldnn.scaling.model import (
    Machine,
    Measured,
    Method,
    all_reduce,
    buckets,
    communication,
    exposed,
    predict,
    ring,
    slowest,
    tree,
    update,
)

EVEN = [(0.25, 1_000_000), (0.5, 1_000_000), (0.75, 1_000_000), (1.0, 1_000_000)]
"""A gradient of 4 MB that comes in four equal parts."""
MACHINE = Machine(bandwidth=1e9, latency=0.0, algorithm="ring")


def test_a_ring_sends_every_part_twice_around():
    assert ring(8e6, 4, 1e9, 1e-6) == pytest.approx(2 * 3 * (2e-3 + 1e-6))


def test_a_tree_is_as_high_as_the_logarithm():
    assert tree(8e6, 1000, 1e9, 1e-6) == pytest.approx(2 * (8e-3 + 10e-6))


def test_one_process_sends_nothing():
    assert all_reduce(Machine(1), 1, 1e9) == 0
    assert communication(Measured(1.0, ready=EVEN), Machine(1), Method(), 1, 8) == 0


def test_the_faster_way_is_taken():
    ways = [all_reduce(Machine(1, 1e9, 1e-5, algorithm=way), 512, 1e6) for way in ("auto", "ring", "tree")]
    assert ways[0] == min(ways) < max(ways)


def test_sums_are_taken_within_nodes_first():
    machine = Machine(8, 1e9, 0.0, 1e10, 0.0, "ring")
    assert all_reduce(machine, 4, 8e6) == pytest.approx(ring(8e6, 8, 1e10, 0.0) + ring(8e6, 4, 1e9, 0.0))


def test_buckets_are_sent_when_they_are_full():
    assert buckets(EVEN, 2_000_000) == [(0.5, 2_000_000), (1.0, 2_000_000)]
    assert buckets(EVEN, 3_000_000) == [(0.75, 3_000_000), (1.0, 1_000_000)]
    assert buckets(EVEN, 3_000_000, first=1_000_000) == [(0.25, 1_000_000), (1.0, 3_000_000)]


def test_only_what_is_sent_behind_the_backward_pass_counts():
    assert exposed(EVEN, 1.0, lambda size: size * 1e-7) == pytest.approx(0.1), "the last bucket"
    assert exposed(EVEN, 1.0, lambda size: size * 5e-7) == pytest.approx(0.25 + 4 * 0.5 - 1.0), "all, since the first"


@pytest.mark.parametrize(("stage", "volume"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_without_overlap_stages_send_what_zero_says(stage, volume):
    seconds = communication(Measured(1.0, ready=EVEN), MACHINE, Method(stage, bucket=1e6), 4, 1)
    assert seconds == pytest.approx(volume * 3 / 4 * 4e-3)


def test_overlap_hides_gradients_behind_the_backward_pass():
    seconds = [
        communication(Measured(1.0, ready=EVEN), MACHINE, Method(overlap=overlap, bucket=1e6), 4, 1)
        for overlap in (True, False)
    ]
    assert seconds[0] == pytest.approx(seconds[1] / 4)


def test_the_slowest_of_many():
    drawn = np.random.default_rng(0).normal(size=(4000, 64)).max(1).mean()
    assert slowest(64) == pytest.approx(drawn, abs=0.05)
    assert slowest(1) == 0


def test_what_neither_sends_nor_waits_scales_perfectly():
    rows = predict(Measured(1e-3, exchanges=0), Machine(4), Method(), [1, 8, 64], 32, weak=True)
    assert [row.efficiency for row in rows] == [1, 1, 1]
    assert [row.limit for row in rows] == ["", "", ""]
    assert [row.batch for row in rows] == [32, 256, 2048]


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"ready": [(1.0, 10**9)]}, "communication"),
        ({"exchanges": 10**5}, "exchanges"),
        ({"deviation": 0.5}, "waiting"),
    ],
)
def test_the_limit_is_named(changes, limit):
    measured = replace(Measured(1e-2, exchanges=0), **changes)
    assert predict(measured, Machine(), Method(), [64], 32, weak=True)[0].limit == limit


def test_strong_scaling_ends_where_the_batch_does():
    measured = Measured(1e-2, fixed=1e-4, exchanges=0)
    few, many = predict(measured, Machine(), Method(), [8, 128], 32, weak=False)
    assert (few.share, few.limit) == (4, "")
    assert (many.share, many.limit) == (1, "uneven")
    assert many.rate == pytest.approx(32 / (1e-2 + 1e-4))


def test_the_fixed_time_of_a_step_limits_small_shares():
    assert predict(Measured(1e-3, fixed=0.1), Machine(), Method(), [32], 32, weak=False)[0].limit == "fixed"


def test_loading_counts_as_far_as_it_is_not_hidden():
    measured = Measured(1e-2, loading=50.0, ahead=True)
    assert update(measured, Machine(), Method(), 1, 10).parts["data"] == pytest.approx(0.1)
    assert update(replace(measured, ahead=False), Machine(), Method(), 1, 10).parts["data"] == pytest.approx(0.2)
    assert update(replace(measured, loading=200.0), Machine(), Method(), 1, 10).parts["data"] == 0


def test_accumulating_sends_less_often():
    measured = Measured(1e-2, ready=[(1.0, 10**8)], exchanges=0)
    rates = [update(measured, Machine(), Method(accumulate=times), 64, 64 * 8).rate for times in (1, 4)]
    assert rates[0] < rates[1] < 64 / 1e-2


def test_an_epoch_is_whole_updates_and_its_start():
    assert update(Measured(1e-2), Machine(), Method(), 1, 10).epoch(25, 2.0) == pytest.approx(3 * 0.1 + 2.0)


def test_parts_are_the_whole():
    measured = Measured(1e-2, 1e-3, 2e-3, 0.6, EVEN, 3, 0.02, 100.0, False)
    one = update(measured, Machine(2), Method(2, True, 1e6, 2), 4, 30)
    assert one.seconds == pytest.approx(statistics.fsum(one.parts.values()))
    assert min(one.parts.values()) > 0
