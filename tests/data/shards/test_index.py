"""Indexes of tar files: what they find, and what they refuse."""

import tarfile

import pytest

from rmldnn.data.shards.index import Index, beside, load, scan, split
from rmldnn.errors import DataError


def test_the_index_finds_the_bytes_of_every_member(tmp_path, tar):
    path = tar(tmp_path / "a.tar", [("0.jpg", b"one"), ("0.cls", b"3"), ("x/1.jpg", b"two"), ("x/1.cls", b"4")])
    index = scan(str(path))
    data = path.read_bytes()
    column = index.columns["jpg"]
    assert index.keys == ["0", "x/1"]
    assert [data[at : at + size] for at, size in zip(column.offsets, column.sizes, strict=True)] == [b"one", b"two"]
    assert index.classes == ["3", "4"]


def test_an_index_comes_back_from_its_file(tmp_path, tar):
    index = scan(str(tar(tmp_path / "a.tar", [("0.jpg", b"one")])))
    index.save(tmp_path / "a.idx.json")
    assert load(tmp_path / "a.idx.json") == index


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":"rmldnn-shard-1"}', '{"format":"other"}'])
def test_a_damaged_index_counts_as_none(tmp_path, text):
    (tmp_path / "a.idx.json").write_text(text)
    assert load(tmp_path / "a.idx.json") is None


def test_an_index_that_points_out_of_the_file_counts_as_none(tmp_path):
    from rmldnn.data.shards.index import Column

    Index(100, ["a"], {"jpg": Column([90], [20])}).save(tmp_path / "a.idx.json")
    assert load(tmp_path / "a.idx.json") is None


def test_long_names_and_names_of_other_alphabets_are_found(tmp_path, tar):
    names = ["d" * 300, "\u043f\u0440\u0438\u0432\u0435\u0442"]
    index = scan(str(tar(tmp_path / "a.tar", [(f"{name}.jpg", b"x") for name in names])))
    assert index.keys == names


def test_the_key_ends_at_the_first_dot_of_the_last_part():
    assert split("v1.0/17.Seg.PNG") == ("v1.0/17", "seg.png")
    assert split("./17.jpg") == ("17", "jpg")
    assert split("README") == ("", "")
    assert split("a/.hidden") == ("", "")


def _link(kind, target="/etc/passwd"):
    info = tarfile.TarInfo("1.jpg")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("/etc/1.jpg", b"x", "not a path below"),
        ("../1.jpg", b"x", "leads out"),
        ("a/../../1.jpg", b"x", "leads out"),
        ("1.jpg", _link(tarfile.SYMTYPE), "a link to `/etc/passwd`"),
        ("1.jpg", _link(tarfile.LNKTYPE, "0.jpg"), "a link to `0.jpg`"),
        ("1.jpg", _link(tarfile.CHRTYPE), "a device"),
        ("1.jpg", _link(tarfile.FIFOTYPE), "a device or a pipe"),
    ],
)
def test_members_that_are_tricks_are_refused(tmp_path, tar, name, data, words):
    path = tar(tmp_path / "a.tar", [("0.jpg", b"x"), (name, data)])
    with pytest.raises(DataError, match=rf"a\.tar: member `.*1\.jpg` is refused.*{words}"):
        scan(str(path))


@pytest.mark.parametrize("cut", [512 * 3 + 100, 512 * 2 + 100, 512 * 5 - 12, 512 * 4])
def test_a_shard_that_is_cut_short_is_told_with_its_last_whole_member(tmp_path, tar, cut):
    path = tar(tmp_path / "a.tar", [("0.jpg", b"x" * 512), ("1.jpg", b"y" * 1000), ("2.jpg", b"z")])
    path.write_bytes(path.read_bytes()[:cut])
    last = "1.jpg" if cut > 512 * 4 + 100 else "0.jpg"
    with pytest.raises(DataError, match=rf"it ends at byte {cut}, and the last whole member is `{last}`"):
        scan(str(path))


def test_a_damaged_header_is_told_with_its_place(tmp_path, tar):
    path = tar(tmp_path / "a.tar", [("0.jpg", b"x"), ("1.jpg", b"y")])
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"\xff" * 76
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged at byte 1024, behind `0\.jpg`"):
        scan(str(path))


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "the file is empty"), (b"\x1f\x8b" + b"x" * 600, "compressed"), (b"x" * 100, "cut short in its first")],
)
def test_what_is_no_tar_file_is_told(tmp_path, data, words):
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(DataError, match=words):
        scan(str(tmp_path / "a.tar"))


def test_a_shard_without_samples_is_told(tmp_path, tar):
    with pytest.raises(DataError, match="no samples"):
        scan(str(tar(tmp_path / "a.tar", [("README", b"x")])))
    with pytest.raises(DataError, match="no samples"):
        scan(str(tar(tmp_path / "b.tar", [])))


def test_a_member_that_is_there_twice_is_told(tmp_path, tar):
    with pytest.raises(DataError, match="sample `0` has two members `jpg`"):
        scan(str(tar(tmp_path / "a.tar", [("0.jpg", b"x"), ("0.jpg", b"x")])))


def test_the_index_lies_beside_its_shard():
    assert beside("a/train-000000.tar") == "a/train-000000.idx.json"
