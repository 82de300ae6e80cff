"""Where a study is kept."""

import fcntl
import os

import pytest

pytest.importorskip("optuna")

import optuna

from rmldnn.errors import RmldnnError
from rmldnn.sweeps import storage
from rmldnn.sweeps.trial import TRIALS


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
@pytest.mark.parametrize("name", ["sweep?x=1#2", "100% {done}", "täglich (1)"])
def test_a_folder_may_have_any_name(tmp_path, kind, name):
    folder = tmp_path / name
    (folder / TRIALS).mkdir(parents=True)

    def opened():
        return storage.opened(optuna, folder, kind, minimize=True, pruner=None)

    opened().enqueue_trial({})
    assert len(opened().get_trials()) == 1
    assert (folder / storage.FILES[kind]).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("what", ["", "best_model"])
def test_others_are_kept_out_of_one_thing_only(tmp_path, what):
    with storage.alone(tmp_path, what):
        (lock,) = tmp_path.iterdir()
        handle = os.open(lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with storage.alone(tmp_path, f"{what}_too"):
            pass
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_a_full_disk_is_told_in_words(tmp_path):
    told = f"cannot write the study in `{tmp_path}`: no space left.*goes on"
    with pytest.raises(RmldnnError, match=told), storage.remembering(optuna, tmp_path):
        raise OSError(28, "No space left on device")
