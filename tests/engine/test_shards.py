"""States that are too large for one process: who writes what, how they are read, and what becomes of failures."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from test_parallel import finish, start

from rmldnn.engine import states
from rmldnn.engine.local import LocalEngine
from rmldnn.engine.scattered import Scattered
from rmldnn.engine.shards import deal

HERE = Path(__file__).parent
ENGINE = LocalEngine(torch.device("cpu"))


def test_shards_are_not_larger_than_they_may_be():
    sizes = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
    filled = Counter()
    for size, (_, shard) in zip(sizes, deal(sizes, 3, 10), strict=True):
        filled[shard] += size
    assert max(filled.values()) <= 10
    assert sorted(filled) == list(range(len(filled)))


def test_a_tensor_that_is_larger_has_a_shard_of_its_own():
    shards = [shard for _, shard in deal([1, 30, 1, 0], 1, 10)]
    assert shards == [0, 1, 2, 2]


def test_processes_get_equal_shares():
    total = Counter()
    for process, _ in (dealt := deal([7] * 40, 4, 14)):
        total[process] += 7
    assert set(total.values()) == {70}
    assert all(len({process for process, shard in dealt if shard == one}) == 1 for _, one in dealt)


def test_no_more_processes_write_than_there_are_full_shards():
    assert {process for process, _ in deal([1] * 20, 8, 10)} == {0, 4}


def tree():
    """A transposed tensor, a part of another one, numbers beside them, and one tensor twice."""
    rows = torch.arange(12.0).view(3, 4)
    return {
        "network": {"w": rows.t(), "same": rows.t(), "count": torch.tensor(3)},
        "engine": {
            "optimizer": {"state": {0: {"step": 2, "m": (rows[1], [rows[2] * 2])}}, "param_groups": [{"lr": 0.1}]}
        },
    }


@pytest.fixture
def sharded(tmp_path):
    return states.load(
        ENGINE, states.save(ENGINE, tmp_path, 1, 0, tree(), {}, own={"run": {"epoch": 1}}, shard_size=40)
    )


def test_what_was_saved_in_shards_comes_back(sharded):
    assert sharded.load("run") == {"epoch": 1}
    for name, part in tree().items():
        found = sharded.load(name)
        torch.testing.assert_close(found, part, rtol=0, atol=0)


def test_shards_hold_nothing_but_their_tensors(sharded):
    for shard in sharded.folder.glob("shard_*.pt"):
        held = torch.load(shard, weights_only=True).values()
        assert sum(tensor.untyped_storage().nbytes() for tensor in held) == sum(t.numel() * t.itemsize for t in held)


def test_what_is_left_when_tensors_are_in_shards_has_no_numbers_of_them(sharded):
    assert torch.load(sharded.folder / "network.pt", weights_only=True)["w"].is_meta


def test_a_small_state_has_one_file_for_each_part(tmp_path):
    place = states.save(ENGINE, tmp_path, 1, 0, tree(), {}, shard_size=1000)
    assert sorted(path.name for path in place.iterdir()) == ["engine.pt", "manifest.json", "network.pt"]
    assert states.load(ENGINE, place).facts["format"] == states.FORMAT


def test_a_scattered_tensor_is_whole_in_a_state(tmp_path):
    scattered = Scattered(torch.Size([2]), torch.float32, lambda rank: torch.tensor([1.0, 2.0]) if rank == 0 else None)
    place = states.save(ENGINE, tmp_path, 1, 0, {"network": {"w": scattered}}, {})
    assert states.load(ENGINE, place).load("network")["w"].tolist() == [1, 2]


def test_a_shard_that_is_damaged_is_told(sharded):
    shard = sharded.folder / "shard_1.pt"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(states.CheckpointError, match=r"`shard_1.pt` has changed since it was written"):
        states.load(ENGINE, sharded.folder)


def several(script, folder, world=2):
    """What each of several processes saw."""
    processes = [
        start(
            [sys.executable, str(HERE / script), str(folder)],
            SLURM_PROCID=str(rank),
            SLURM_STEP_NUM_TASKS=str(world),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=str(folder),
            OMP_NUM_THREADS="1",
            MALLOC_MMAP_THRESHOLD_="131072",  # what is freed goes back to the system
        )
        for rank in range(world)
    ]
    ended = finish(processes)
    assert all(code == 0 for code, _, _ in ended), ended
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What two processes saw, and the folder of their states."""
    folder = tmp_path_factory.mktemp("states")
    return several("state_run.py", folder), folder


@pytest.mark.slow
def test_the_full_disk_of_one_process_is_told_by_all_and_leaves_nothing(seen):
    said, folder = seen
    for one in said:
        assert (
            one["full"] == f"cannot save the state of the training to `{folder}/full`: File too large; make room there"
        )
    assert list((folder / "full").iterdir()) == []


@pytest.mark.slow
def test_processes_that_do_not_share_the_folder_are_told(seen):
    said, folder = seen
    for rank, one in enumerate(said):
        assert (
            "shard_1.pt` of another process is not there; take a `run_folder` that all machines share" in one["apart"]
        )
        assert list((folder / f"disk_of_{rank}").iterdir()) == []


@pytest.mark.slow
def test_a_state_of_two_processes_is_in_shards_of_one_size(seen):
    _, folder = seen
    sizes = json.loads((folder / "good" / "epoch_1_sample_0" / "manifest.json").read_text())["files"]
    assert sorted(sizes) == ["engine.pt", "network.pt", "run.pt", *(f"shard_{number}.pt" for number in range(4))]


@pytest.mark.slow
def test_what_one_process_finds_damaged_no_process_takes(seen):
    said, _ = seen
    for one in said:
        assert "`shard_1.pt` has changed since it was written (sha256)" in one["damaged"]
        assert one["newest"]


@pytest.mark.slow
def test_no_process_needs_memory_for_all_of_a_state(tmp_path):
    """A third of it are weights; a process of two has half of all, and gets a shard or a tensor on top."""
    for took in several("memory_run.py", tmp_path):
        assert took["whole"] > 150e6
        assert took["saving"] < 0.25
        assert took["resuming"] < 0.25
