import json
import shutil
from pathlib import Path

import pytest
import torch

from rmldnn.engine import states
from rmldnn.engine.local import LocalEngine
from rmldnn.errors import CheckpointError, RmldnnError

ENGINE = LocalEngine(torch.device("cpu"))
PARTS = {"network": {"weight": torch.arange(6.0)}, "run": {"epoch": 3, "names": ["a", None, 1.5]}}


def saved(folder, epoch=3, sample=40):
    return states.save(ENGINE, folder, epoch, sample, PARTS, {"processes": 2})


def test_what_was_saved_comes_back(tmp_path):
    place = saved(tmp_path / "state")
    state = states.load(ENGINE, place)
    assert torch.equal(state.load("network")["weight"], PARTS["network"]["weight"])
    assert state.load("run") == PARTS["run"]
    assert state.facts["processes"] == 2


def test_the_furthest_state_is_the_newest(tmp_path):
    for epoch, sample in ((2, 0), (10, 0), (10, 64), (9, 900)):
        saved(tmp_path, epoch, sample)
    assert states.newest(ENGINE, tmp_path).folder.name == "epoch_10_sample_64"


def test_no_folder_has_no_state(tmp_path):
    assert states.newest(ENGINE, tmp_path / "none") is None


def broken(place, how):
    match how:
        case "cut":
            data = (place / "network.pt").read_bytes()
            (place / "network.pt").write_bytes(data[:-1])
        case "bit":
            data = bytearray((place / "network.pt").read_bytes())
            data[len(data) // 2] ^= 1
            (place / "network.pt").write_bytes(data)
        case "missing":
            (place / "run.pt").unlink()
        case "no manifest":
            (place / "manifest.json").unlink()
        case "torn manifest":
            (place / "manifest.json").write_text('{"format": ')
        case "format":
            (place / "manifest.json").write_text(json.dumps({"format": "other"}))


@pytest.mark.parametrize("how", ["cut", "bit", "missing", "no manifest", "torn manifest", "format"])
def test_a_damaged_state_is_passed_over_and_told(tmp_path, caplog, how):
    good, bad = saved(tmp_path, 1, 0), saved(tmp_path, 2, 0)
    broken(bad, how)
    assert states.newest(ENGINE, tmp_path).folder == good
    assert "epoch_2_sample_0` is damaged and is not used: " in caplog.text
    with pytest.raises(CheckpointError, match="checkpoints.resume: .* is no state to go on from"):
        states.load(ENGINE, bad)


def test_a_save_that_was_killed_leaves_no_state(tmp_path):
    place = saved(tmp_path)
    shutil.copytree(place, tmp_path / ".epoch_4_sample_0.part")
    assert states.newest(ENGINE, tmp_path).folder == place
    states.clean(tmp_path, place, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_3_sample_40"]


def test_the_last_few_stay_and_none_that_is_further(tmp_path):
    for sample in range(5):
        saved(tmp_path, 1, sample)
    states.clean(tmp_path, tmp_path / "epoch_1_sample_3", 2)
    assert [path.name for path in states.found(tmp_path)] == ["epoch_1_sample_2", "epoch_1_sample_3"]


def test_a_state_takes_the_place_of_one_of_the_same_moment(tmp_path):
    saved(tmp_path)
    states.save(ENGINE, tmp_path, 3, 40, {"run": {"epoch": 4}}, {})
    assert states.newest(ENGINE, tmp_path).load("run") == {"epoch": 4}


class KilledError(BaseException):
    """Ends a process at once."""


@pytest.mark.parametrize("last", [1, 2])
def test_a_kill_while_a_state_takes_the_place_of_another_loses_neither(tmp_path, monkeypatch, last):
    saved(tmp_path)
    renames = []

    def rename(path, target):
        renames.append(path)
        if len(renames) == last:
            raise KilledError
        path.replace(target)

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Path, "rename", rename)
        states.save(ENGINE, tmp_path, 3, 40, {"run": {"epoch": 4}}, {})
    assert states.newest(ENGINE, tmp_path).load("run") == PARTS["run"]
    place = states.save(ENGINE, tmp_path, 3, 40, {"run": {"epoch": 5}}, {})
    assert states.newest(ENGINE, tmp_path).load("run") == {"epoch": 5}
    states.clean(tmp_path, place, 1)
    assert list(tmp_path.iterdir()) == [place]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = saved(tmp_path, 1, 0)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RmldnnError, match=r"cannot save the state.*No space left on device; make room"):
        saved(tmp_path, 2, 0)
    assert list(tmp_path.iterdir()) == [before]


def test_a_state_runs_no_code(tmp_path):
    class Trick:
        def __reduce__(self):
            return (print, ("code ran",))

    place = states.save(ENGINE, tmp_path, 1, 0, {"run": Trick()}, {})
    with pytest.raises(Exception, match="weights_only|Unsupported|WeightsUnpickler"):
        states.load(ENGINE, place).load("run")
