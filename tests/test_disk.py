"""Files that are there entirely or not at all."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from rmldnn.disk import absent, lockable, replacing, sha256


@pytest.fixture
def synced(monkeypatch):
    """What is brought to the disk, in order: whether it is a folder, and the names in the folder then."""
    seen = []
    real = os.fsync

    def note(handle):
        real(handle)
        place = Path(f"/proc/self/fd/{handle}").readlink()
        folder = place if place.is_dir() else place.parent
        seen.append((place.is_dir(), sorted(path.name for path in folder.iterdir())))

    monkeypatch.setattr(os, "fsync", note)
    return seen


def test_a_file_takes_the_place_of_another(tmp_path):
    (tmp_path / "file").write_text("old")
    with replacing(tmp_path / "file") as partial:
        partial.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]


def test_a_failure_leaves_the_file_that_was_there(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_the_content_is_on_the_disk_before_the_name_and_then_the_name(tmp_path, synced):
    with replacing(tmp_path / "file") as partial:
        partial.write_text("new")
    assert synced == [(False, [partial.name]), (True, ["file"])]


def test_others_may_read_it(tmp_path):
    before = os.umask(0o022)
    with replacing(tmp_path / "file"):
        pass
    os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("size", [0, 5, 2**22, 2**22 + 1])
def test_the_digest_is_that_of_all_of_a_file(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_whoever_shares_a_folder_may_lock_what_is_there_for_it(tmp_path):
    before = os.umask(0o002)
    try:
        os.close(lockable(tmp_path / ".lock"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == 0o664


class TestAbsent:
    """What is said of a path at which nothing is."""

    @pytest.fixture(autouse=True)
    def folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "pictures" / "train").mkdir(parents=True)
        (tmp_path / "config.json").touch()
        (tmp_path / "1.png").touch()
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        ("path", "meant"),
        [
            ("./pictures/trian/", "./pictures/train/"),
            ("picture/train", "pictures/train"),
            ("confg.json", "config.json"),
            ("../{}/pictures/trains", "../{}/pictures/train"),
            ("{root}/picures", "{root}/pictures"),
        ],
    )
    def test_near(self, path: str, meant: str, tmp_path: Path) -> None:
        path, meant = (text.format(tmp_path.name, root=tmp_path) for text in (path, meant))
        assert absent(path) == f"`{path}` does not exist; did you mean `{meant}`?"

    @pytest.mark.parametrize("path", ["masks", "picture/test", "config.json/x", "nowhere/at/all", "2.png", ""])
    def test_nothing_near(self, path: str, tmp_path: Path) -> None:
        assert absent(path) == f"`{path}` does not exist; paths are relative to the working directory, `{tmp_path}`"
