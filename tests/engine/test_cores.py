"""On machines that are made of files, as Linux tells about them."""

import pytest

from rmldnn.engine import cores


@pytest.fixture
def machine(tmp_path):
    """Two sockets of four cores with two halves each: 0-3 and 8-11 on the first, 4-7 and 12-15 on the second."""
    for core in range(16):
        topology = tmp_path / f"devices/system/cpu/cpu{core}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{core % 8 // 4}\n")
        (topology / "core_id").write_text(f"{core % 4}\n")
    for node, text in enumerate(("0-3,8-11\n", "4-7,12-15\n")):
        folder = tmp_path / f"devices/system/node/node{node}"
        folder.mkdir(parents=True)
        (folder / "cpulist").write_text(text)
    return tmp_path


def test_nodes_have_the_halves_of_a_core_side_by_side(machine):
    assert cores.nodes(range(16), machine) == [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]]


def test_halves_of_a_core_count_once(machine):
    assert (cores.halves({0, 8, 1}, machine), cores.halves(range(16), machine)) == (2, 8)


@pytest.mark.parametrize(
    ("allowed", "count", "parts"),
    [
        (range(16), 1, [{*range(16)}]),
        (range(16), 2, [{0, 1, 2, 3, 8, 9, 10, 11}, {4, 5, 6, 7, 12, 13, 14, 15}]),
        (range(16), 4, [{0, 8, 1, 9}, {2, 10, 3, 11}, {4, 12, 5, 13}, {6, 14, 7, 15}]),
        (range(16), 3, [{0, 8, 1, 9}, {2, 10, 3, 11, 4, 12}, {5, 13, 6, 14, 7, 15}]),
        (range(16), 16, [{core} for core in (0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)]),
        ([0, 4, 5, 6], 2, [{0}, {4, 5, 6}]),
        ([0, 4, 5, 6], 4, [{0}, {4}, {5}, {6}]),
    ],
)
def test_shares_are_whole_nodes_and_whole_cores_where_the_numbers_allow_it(machine, allowed, count, parts):
    assert [set(part) for part in cores.shares(allowed, count, machine)] == parts


def test_a_machine_that_tells_nothing_is_one_node(tmp_path):
    assert cores.shares(range(4), 2, tmp_path) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("files", "worth"),
    [
        ({"cpu.max": "250000 100000\n"}, 2.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_limits_of_containers(tmp_path, files, worth):
    for name, text in files.items():
        path = tmp_path / "fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores.quota(tmp_path) == worth


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([3], "core 3"), ([1, 0], "cores 0 and 1"), ([0, 1, 2, 3, 8], "cores 0-3 and 8"), ([0, 2, 5], "cores 0, 2 and 5")],
)
def test_words_for_cores(numbers, words):
    assert cores.described(numbers) == words
