import os
from functools import partial
from pathlib import Path

import pytest
import torch

from rmldnn.engine import placement as module
from rmldnn.engine.placement import Presence
from rmldnn.errors import LaunchError

placement = partial(module.placement, system=Path("/a machine of one node"))


def on_cpu(count, mask=range(8), host="a"):
    return [Presence("CPU", host, frozenset(mask), None)] * count


def test_processes_share_out_a_machine():
    places = [placement(rank, on_cpu(2), None) for rank in range(2)]
    assert [sorted(place.bound) for place in places] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [(place.neighbours, place.cores, place.threads) for place in places] == [(2, 4, 4)] * 2
    assert places[0].words == "2, 4 threads each, on cores 0-3; cores 4-7"


def test_each_machine_is_shared_out_by_its_own_processes():
    everyone = [*on_cpu(2), *on_cpu(1, host="b"), *on_cpu(1, host="c")]
    assert placement(1, everyone, None).bound == {4, 5, 6, 7}
    place = placement(2, everyone, None)
    assert (place.bound, place.neighbours, place.cores) == (None, 1, 8)
    assert place.words == "4 on 3 machines, 8 threads each, on cores 0-7"


def test_what_the_user_says_of_threads_holds():
    place = placement(0, on_cpu(2), 1)
    assert (place.threads, sorted(place.bound)) == (1, [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("everyone", "threads", "quota", "words"),
    [
        (on_cpu(2), 6, None, "2, 6 threads each, sharing cores 0-7"),  # more threads than cores
        (on_cpu(2), None, 4.0, "2, 2 threads each, sharing cores 0-7"),  # a container that may fill half of them
        (on_cpu(3, range(2)), None, None, "3, 1 thread each, sharing cores 0 and 1"),
        (on_cpu(1, [0, 1]) + on_cpu(1, [2, 3]), None, None, "2, 2 threads each, on cores 0 and 1; cores 2 and 3"),
    ],
)
def test_processes_stay_where_binding_is_not_ours_to_choose(everyone, threads, quota, words):
    place = placement(0, everyone, threads, quota)
    assert (place.bound, place.words) == (None, words)


def test_processes_on_gpus_move_freely():
    everyone = [Presence(f"CUDA:{number}", "a", frozenset(range(8)), f"gpu-{number}") for number in range(2)]
    place = placement(1, everyone, None)
    assert (place.bound, place.devices, place.cores, place.words) == (None, ["CUDA:0", "CUDA:1"], 4, "2")


def test_a_gpu_is_of_one_process():
    everyone = [Presence("CUDA:0", "a", frozenset({0}), "gpu-0")] * 2
    with pytest.raises(LaunchError, match="several of the 2 processes have the same GPU on a; start one process for"):
        placement(0, everyone, None)


def test_a_process_keeps_to_its_cores():
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("needs two cores")
    place = placement(1, [Presence.of(torch.device("cpu"))] * 2, None)
    try:
        place.take()
        assert os.sched_getaffinity(0) == place.bound < before
    finally:
        os.sched_setaffinity(0, before)
