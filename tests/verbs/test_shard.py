"""`rmldnn shard`: what it writes is what was there."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from rmldnn.cli import main
from rmldnn.config import spec, translate
from rmldnn.config.instantiate import opened_data
from rmldnn.data.order import shuffled
from rmldnn.verbs.shard import _keys

LAYERS = [{"class_name": "Flatten", "config": {"name": "flat", "batch_input_shape": [None, 8, 9, 3]}}]
CONFIG = {"layers": LAYERS, "loss": {"function": "MSE"}, "optimizer": {"type": "SGD", "learning_rate": 0.1}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for which, count in (("train", 9), ("test", 4)):
        for index in range(count):
            path = tmp_path / which / "ab"[index % 2] / f"{index}.v1.{'png' if index % 3 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), random.integers(0, 256, (8, 9, 3), np.uint8))
            mask = tmp_path / f"{which}-masks" / "ab"[index % 2] / f"{index}.v1.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(mask), random.choice([0, 255], (8, 9)).astype(np.uint8))
            array = tmp_path / f"{which}-arrays" / f"{index}.npy"
            array.parent.mkdir(parents=True, exist_ok=True)
            np.save(array, random.random((2, 8, 9)).astype(np.float32))
    return tmp_path


@pytest.fixture
def shard(folder, capsys):
    def shard(data, *words, code=0):
        (folder / "config.json").write_text(json.dumps({"neural_network": {**CONFIG, "data": data}}))
        assert main(["shard", "config.json", "--out", "shards", *words]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return shard


def _labels(**keys):
    return {"input_type": "images", "target_type": "labels", "input_path": "train", "test_input_path": "test", **keys}


def _sets(path, data):
    path.write_text(json.dumps({"neural_network": {**CONFIG, "data": data}}))
    data = opened_data(translate.compose(spec.load(path)).values)
    return {which: dataset for which in ("train", "test") if (dataset := getattr(data, which)) is not None}


def _same(folder, before):
    """Whether the written section gives the samples of the former one."""
    after = json.loads((folder / "shards" / "data.json").read_text())["data"]
    old, new = _sets(folder / "old.json", before), _sets(folder / "new.json", after)
    assert old.keys() == new.keys()
    for which in old:
        assert len(old[which]) == len(new[which])
        assert old[which].classes == new[which].classes
        indices = np.arange(len(old[which]))
        places = {key: place for place, key in enumerate(new[which].names)}
        moved = np.array([places[key] for key in _keys(old[which].names)])
        assert which == "train" or (moved == indices).all()
        for side in ("inputs", "targets"):
            one, other = getattr(old[which], side), getattr(new[which], side)
            if one is None or other is None:
                assert one is other
                continue
            assert one.source.meaning == other.source.meaning
            for left, right in zip(one.source.take(indices), other.source.take(moved), strict=True):
                np.testing.assert_array_equal(left, right, strict=True)
    return after


@pytest.mark.parametrize(
    "data",
    [
        _labels(),
        _labels(grayscale=True),
        _labels(color_order="rgb", transforms=[{"resize": [4, 4]}], batch_size=3),
        {"type": "images", "input_path": "train", "target_path": "train", "test_input_path": "test"},
        {"input_type": "images", "target_type": "masks", "input_path": "train", "target_path": "train-masks",
         "test_input_path": "test", "test_target_path": "test-masks", "values": [0, 255]},
        {"type": "numpy", "input_path": "train-arrays", "target_path": "train-arrays"},
        {"input_type": "numpy", "test_input_path": "test-arrays"},
    ],
    ids=["labels", "grey", "transformed", "pictures", "masks", "arrays", "predicted"],
)  # fmt: skip
@pytest.mark.parametrize("size", ["1MB", "10KB"])
def test_the_same_samples_come_out(folder, shard, data, size):
    shard(data, "--shard-size", size)
    after = _same(folder, data)
    assert after.get("transforms") == data.get("transforms")
    assert after.get("batch_size") == data.get("batch_size")


def test_pictures_are_not_encoded_again(folder, shard):
    shard(_labels())
    whole = (folder / "shards" / "train-000000.tar").read_bytes()
    assert all(path.read_bytes() in whole for path in (folder / "train").rglob("*.*"))


def test_one_set_alone_can_be_written(folder, shard):
    shard(_labels(), "--set", "test")
    assert sorted(path.name for path in (folder / "shards").iterdir()) == [
        "data.json", "test-000000.idx.json", "test-000000.tar",
    ]  # fmt: skip


def test_shards_that_are_there_are_not_replaced_silently(folder, shard):
    shard(_labels())
    before = (folder / "shards" / "train-000000.tar").stat().st_mtime_ns
    assert "is there already; name another folder" in shard(_labels(), code=3)
    assert (folder / "shards" / "train-000000.tar").stat().st_mtime_ns == before
    shard(_labels(), "--overwrite")


def test_a_killed_command_continues(folder, shard, monkeypatch):
    from rmldnn.verbs import shard as verb

    shard(_labels(), "--shard-size", "10KB", "--set", "train")
    whole = {path.name: path.read_bytes() for path in (folder / "shards").iterdir()}
    for path in (folder / "shards").iterdir():
        path.unlink()
    read = verb._Job._members

    def killed(self, index):
        if index == 5:
            raise KeyboardInterrupt
        return read(self, index)

    monkeypatch.setattr(verb._Job, "_members", killed)
    shard(_labels(), "--shard-size", "10KB", "--set", "train", code=130)
    left = sorted(path.name for path in (folder / "shards").iterdir())
    (folder / "shards" / ".train-000005.tar.abc").write_bytes(b"half")
    monkeypatch.setattr(verb._Job, "_members", read)
    assert len(left) > 2
    assert "is there of an unfinished command" in shard(_labels(), "--shard-size", "20KB", "--set", "train", code=3)
    assert "train: continues after" in shard(_labels(), "--shard-size", "10KB", "--set", "train")
    assert {path.name: path.read_bytes() for path in (folder / "shards").iterdir()} == whole


def test_a_damaged_array_is_told_by_its_name(folder, shard):
    path = folder / "train-arrays" / "3.npy"
    path.write_bytes(path.read_bytes()[:100])
    err = shard({"input_type": "numpy", "input_path": "train-arrays", "target_type": "numpy",
                 "target_path": "train-arrays"}, code=3)  # fmt: skip
    assert "train-arrays/3.npy" in err
    assert "cut short" in err


@pytest.mark.parametrize("keep", [-100, 40, 0])
def test_a_damaged_picture_is_told_by_its_name_and_in_no_shard(folder, shard, keep):
    path = folder / "train" / "a" / "6.v1.jpg"
    path.write_bytes(path.read_bytes()[:keep])
    assert "train/a/6.v1.jpg: cannot read this image" in shard(_labels(), "--shard-size", "10KB", code=3)
    assert not (folder / "shards" / "data.json").exists()
    written = [key for file in (folder / "shards").glob("*.idx.json") for key in json.loads(file.read_text())["keys"]]
    assert "a/6_v1" not in written
    assert not list((folder / "shards").glob("test-*"))


def test_a_picture_with_bytes_changed_inside_is_found(folder, shard):
    path = folder / "train" / "b" / "1.v1.png"
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    assert "train/b/1.v1.png: cannot read this image" in shard(_labels(), code=3)


def test_a_mask_of_other_values_is_found(folder, shard):
    cv2.imwrite(str(folder / "train-masks" / "a" / "2.v1.png"), np.full((8, 9), 7, np.uint8))
    data = {"input_type": "images", "target_type": "masks", "input_path": "train", "target_path": "train-masks",
            "values": [0, 255]}  # fmt: skip
    assert "train-masks/a/2.v1.png: has pixels of the value 7" in shard(data, code=3)


def _damage(folder):
    for name in ("train/a/0.v1.jpg", "train/b/5.v1.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:100])


def test_damaged_pictures_are_left_out_if_that_is_wanted(folder, shard):
    _damage(folder)
    assert "train: 7 samples in 1 shards" in shard(_labels(on_bad_sample="skip"))
    keys = json.loads((folder / "shards" / "train-000000.idx.json").read_text())["keys"]
    assert sorted(keys) == sorted(f"{'ab'[index % 2]}/{index}_v1" for index in (1, 2, 3, 4, 6, 7, 8))


def test_what_is_left_out_is_said(folder, shard, capsys):
    _damage(folder)
    (folder / "config.json").write_text(json.dumps({"neural_network": {**CONFIG, "data": _labels()}}))
    assert main(["shard", "config.json", "--out", "shards", "data.on_bad_sample=skip"]) == 0
    err = capsys.readouterr().err
    assert "2 samples of the training set could not be read and were left out" in err
    for name in ("a/0.v1.jpg", "b/5.v1.png"):
        assert f"left out: train/{name}: cannot read this image" in err


def test_a_damaged_array_is_left_out_even_if_it_is_the_first(folder, shard):
    for index in (0, 3):
        path = folder / "train-arrays" / f"{index}.npy"
        path.write_bytes(path.read_bytes()[:100])
    data = {"type": "numpy", "input_path": "train-arrays", "target_path": "train-arrays", "on_bad_sample": "skip"}
    assert "train: 7 samples" in shard(data)


def test_a_set_of_nothing_but_damage_is_told(folder, shard):
    for path in (folder / "test").rglob("*.*"):
        path.write_bytes(b"")
    assert "no sample of the test set can be read; left out: test/a/0.v1.jpg" in shard(
        _labels(on_bad_sample="skip"), "--set", "test", code=3
    )


def test_a_command_that_ended_at_damage_continues_once_that_is_left_out(folder, shard):
    _damage(folder)
    shard(_labels(), "--shard-size", "10KB", "--set", "train", code=3)
    said = shard(_labels(on_bad_sample="skip"), "--shard-size", "10KB", "--set", "train")
    assert "train: 7 samples in 7 shards" in said


def _train_keys(folder):
    return json.loads((folder / "shards" / "train-000000.idx.json").read_text())["keys"]


def test_the_training_set_is_mixed_by_the_seed_and_the_same_again(folder, shard):
    orders = []
    for seed in (1, 1, 2):
        shard(_labels(), "--overwrite", f"seed={seed}")
        orders.append(_train_keys(folder))
    one, again, other = orders
    assert one == again
    assert sorted(one) == sorted(other)
    assert len({tuple(order) for order in (one, other, sorted(one))}) == 3


def test_the_order_of_the_source_can_be_kept(folder, shard):
    shard(_labels(), "--keep-order")
    assert _train_keys(folder) == _keys(sorted(str(path.relative_to("train")) for path in Path("train").rglob("*.*")))


def test_a_command_does_not_continue_in_another_order(folder, shard):
    names = sorted(path for path in Path("train").rglob("*.*"))
    names[shuffled(9, 0, 0)[-1]].write_bytes(b"")
    shard(_labels(), "--shard-size", "10KB", code=3)
    assert (folder / "shards" / "train-000000.tar").exists()
    assert "for other samples or sizes" in shard(_labels(), "--shard-size", "10KB", "--keep-order", code=3)


def test_the_folder_of_both_sets_is_read_as_each(folder, shard):
    shard(_labels())
    data = {"type": "webdataset", "input_path": "shards/", "test_input_path": "shards/"}
    assert {which: len(found) for which, found in _sets(folder / "new.json", data).items()} == {"train": 9, "test": 4}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_made_is_told(folder, shard):
    folder.chmod(0o500)
    assert "cannot make this folder" in shard(_labels(), code=1)


def test_what_is_in_shards_is_not_written_again(folder, shard):
    shard(_labels())
    data = json.loads((folder / "shards" / "data.json").read_text())["data"]
    assert "in shards already" in shard(data, "--overwrite", code=2)
    assert (folder / "shards" / "train-000000.tar").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shard-size", "big"], "--shard-size: must be a size"),
        (["--workers", "0"], "--workers must be"),
        (["--set", "none"], "--set"),
        (["data.input_path=nothing"], "`nothing` does not exist"),
    ],
)
def test_a_wrong_command_line_is_told(shard, words, said):
    assert said in shard(_labels(), *words, code=3 if "nothing" in words[0] else 2)


def test_keys_have_no_dots_and_differ():
    assert _keys(["a/1.x.png", "a/2.png", "a/2.jpg"]) == ["a/1_x", "a/2_1", "a/2_2"]
