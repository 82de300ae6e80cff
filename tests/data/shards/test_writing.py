"""Shards as we write them."""

import resource
import tarfile

import pytest
import webdataset

from rmldnn.data.shards.index import Described, load, scan
from rmldnn.data.shards.writing import Writer, pattern
from rmldnn.errors import RmldnnError

SIDES = {"input": Described(["jpg"], "pixels", "images"), "target": Described(["cls"], "classes", "labels")}
SAMPLES = [(f"a/{number}", {"jpg": bytes([number]) * 700, "cls": str(number).encode()}) for number in range(7)]


def _write(folder, size=6 * 512 + 10240):
    folder.mkdir(exist_ok=True)
    with Writer(folder, "train", size, SIDES) as writer:
        for key, members in SAMPLES:
            writer.write(key, members)
    return sorted(folder.glob("*.tar"))


def test_the_same_samples_give_the_same_bytes(tmp_path):
    one, other = _write(tmp_path / "a"), _write(tmp_path / "b")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_shards_are_cut_at_their_size(tmp_path):
    paths = _write(tmp_path / "a", 20480)
    assert len(paths) > 1
    assert all(path.stat().st_size <= 20480 for path in paths)


def test_the_index_says_what_a_scan_finds(tmp_path):
    for path in _write(tmp_path / "a"):
        found, written = scan(str(path)), load(path.with_name(path.name.replace(".tar", ".idx.json")))
        assert (written.keys, written.columns, written.classes) == (found.keys, found.columns, found.classes)
        assert written.tar_bytes == found.tar_bytes


@pytest.mark.filterwarnings("ignore")
def test_webdataset_itself_reads_them(tmp_path):
    paths = [str(path) for path in _write(tmp_path / "a")]
    read = [(item["__key__"], item["jpg"], item["cls"]) for item in webdataset.WebDataset(paths, shardshuffle=False)]
    assert read == [(key, members["jpg"], members["cls"]) for key, members in SAMPLES]


def test_members_tell_nothing_about_the_machine(tmp_path):
    for path in _write(tmp_path / "a"):
        with tarfile.open(path) as archive:
            assert {(info.mtime, info.uid, info.gid, info.uname) for info in archive} == {(0, 0, 0, "")}


def test_an_interruption_leaves_no_half_shard(tmp_path):
    with pytest.raises(KeyboardInterrupt), Writer(tmp_path, "train", 10**9, SIDES) as writer:
        writer.write(*SAMPLES[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(RmldnnError, match="cannot write this shard"), Writer(tmp_path / "no", "t", 9, SIDES) as writer:
        writer.write(*SAMPLES[0])


def test_the_pattern_names_all_shards():
    assert pattern("out", "train", 12) == "out/train-{000000..000011}.tar"
    assert pattern("out", "train", 1) == "out/train-000000.tar"


def test_a_full_disk_is_told_and_leaves_no_half_shard(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(RmldnnError, match="cannot write this shard"), Writer(tmp_path, "t", 10**9, SIDES) as writer:
            for number in range(100):
                writer.write(str(number), {"jpg": bytes(5000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
