"""Samples from shards: those of the folders they were made of, those of others, and what is refused."""

import io
import tarfile
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data.loader import Loader
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Side
from rmldnn.data.sources.webdataset import webdataset
from rmldnn.data.transform import Part
from rmldnn.errors import ConfigError, DataError


def _png(value, channels=3):
    return cv2.imencode(".png", np.full((4, 6, channels), value, np.uint8))[1].tobytes()


def _npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


def _open(path, side="input", which="train", inputs=None, **keys):
    return webdataset(Side(which, side, None if inputs else path, inputs), **keys)


@pytest.fixture
def plain(tmp_path):
    """Three shards of others: 4, 1 and 3 samples of a picture and its class."""
    numbers = iter(range(8))
    for shard, count in enumerate((4, 1, 3)):
        members = []
        for number in [next(numbers) for _ in range(count)]:
            members += [(f"{number}.png", _png(number * 10)), (f"{number}.cls", b"%d" % (number % 3))]
        _tar(tmp_path / f"train-{shard}.tar", members)
    return str(tmp_path / "train-{0..2}.tar")


def test_pictures_and_classes_are_found_in_plain_shards(plain):
    inputs = _open(plain)
    targets = _open(plain, "target", inputs=inputs)
    indices = np.array([7, 0, 4, 5])
    assert [sample[0, 0, 0] for sample in inputs.take(indices)] == [70, 0, 40, 50]
    assert targets.take(indices).tolist() == [1, 0, 1, 2]
    assert (inputs.meaning, targets.meaning) == ("pixels", "classes")
    assert inputs.blocks == [4, 1, 3]
    assert list(targets.classes) == ["0", "1", "2"]


def test_the_index_is_kept_beside_the_shard(plain, tmp_path):
    _open(plain)
    assert (tmp_path / "train-0.idx.json").is_file()


def test_an_index_of_an_older_shard_is_made_anew(plain, tmp_path):
    _open(plain)
    _tar(tmp_path / "train-1.tar", [("a.png", _png(1)), ("b.png", _png(2))])
    assert _open(plain).blocks == [4, 2, 3]


def test_the_index_goes_to_the_cache_where_the_folder_is_read_only(plain, tmp_path, monkeypatch):
    from rmldnn.data.shards import index

    save = index.Index.save

    def read_only(self, file):
        if file.parent == tmp_path:
            raise OSError(30, "Read-only file system")
        save(self, file)

    monkeypatch.setattr(index.Index, "save", read_only)
    _open(plain, cache_path=str(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").glob("*.idx.json"))) == 3


def test_one_key_in_several_shards_is_told_apart_by_the_shard(tmp_path):
    for name in "ab":
        _tar(tmp_path / f"{name}.tar", [("0.png", _png(1))])
    assert _open(str(tmp_path)).names == ["a/0", "b/0"]


def test_a_sample_is_located_in_its_shard(plain, tmp_path):
    assert _open(plain).locate(5) == f"{tmp_path}/train-2.tar/5.png"


def test_names_of_classes_are_counted_in_alphabetical_order(tmp_path):
    path = _tar(tmp_path / "a.tar", [(f"{i}.{s}", d) for i, c in enumerate((b"dog", b"cat")) for s, d in
                                     (("png", _png(i)), ("cls", c))])  # fmt: skip
    targets = _open(path, "target", inputs=_open(path))
    assert targets.classes == {"cat": 0, "dog": 1}
    assert targets.take(np.arange(2)).tolist() == [1, 0]
    listed = _open(path, "target", inputs=_open(path), classes=["dog", "cat", "cow"])
    assert listed.take(np.arange(2)).tolist() == [0, 1]


def test_a_class_that_the_training_set_does_not_know_is_told(tmp_path):
    paths = [_tar(tmp_path / f"{name}.tar", [("0.png", _png(1)), ("0.cls", name.encode())]) for name in ("cat", "dog")]
    train = _open(paths[0], "target", inputs=_open(paths[0]))
    with pytest.raises(DataError, match=r"dog\.tar/0\.cls: is of class `dog`, which is none of the training set"):
        webdataset(Side("test", "target", None, _open(paths[1]), train))


def test_masks_are_class_indices(tmp_path):
    mask = cv2.imencode(".png", np.arange(24, dtype=np.uint8).reshape(4, 6))[1].tobytes()
    path = _tar(tmp_path / "a.tar", [("0.jpg.png", _png(1)), ("0.seg.png", mask)])
    targets = _open(path, "target", inputs=_open(path, member="jpg.png"))
    assert targets.meaning == "classes"
    assert targets.take(np.array([0]))[0][..., 0].tolist() == np.arange(24).reshape(4, 6).tolist()


def test_values_of_masks_are_translated(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.jpg", _png(1)), ("0.mask.png", _png(255, 1))])
    targets = _open(path, "target", inputs=_open(path), values=[0, 255])
    assert np.unique(targets.take(np.array([0]))[0]).tolist() == [1]


def test_arrays_of_others_have_channels_first_and_classes_have_none(tmp_path):
    array, classes = np.random.default_rng(0).random((2, 4, 5)), np.ones((4, 5), np.int32)
    path = _tar(tmp_path / "a.tar", [("0.npy", _npy(array)), ("0.label.npy", _npy(classes))])
    inputs = _open(path)
    targets = _open(path, "target", inputs=inputs)
    assert inputs.take(np.array([0]))[0].shape == (4, 5, 2)
    assert (targets.meaning, targets.take(np.array([0]))[0].shape) == ("classes", (4, 5, 1))


def test_a_test_set_without_targets_only_predicts(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.jpg", _png(1))])
    assert _open(path, "target", "test", _open(path, which="test")) is None


def test_members_are_listed_if_none_is_a_target(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.jpg", _png(1)), ("0.json", b"{}")])
    with pytest.raises(DataError, match=r'they have `jpg`, `json`; say which it is by "target_member"'):
        _open(path, "target", inputs=_open(path))


def test_one_of_several_members_is_enough(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.jpg", _png(1)), ("1.png", _png(2))])
    assert [sample[0, 0, 0] for sample in _open(path, member="jpg;png").take(np.arange(2))] == [1, 2]
    assert len(_open(path).take(np.arange(2))) == 2


def test_a_sample_without_the_member_is_told(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.jpg", _png(1)), ("1.cls", b"2")])
    with pytest.raises(DataError, match=r"a\.tar/1: has no member `jpg`; every sample needs one"):
        _open(path)


def test_a_member_of_an_unknown_kind_is_told(tmp_path):
    path = _tar(tmp_path / "a.tar", [("0.mp4", b"x")])
    with pytest.raises(ConfigError, match="`mp4` is neither a picture"):
        _open(path, member="mp4")


@pytest.mark.parametrize(("suffix", "data"), [("jpg", b""), ("jpg", _png(3)[:40]), ("npy", b"x"), ("npy", b"\x80\x04")])
def test_a_damaged_member_is_told_with_its_shard(tmp_path, suffix, data):
    path = _tar(tmp_path / "a.tar", [(f"0.{suffix}", data)])
    with pytest.raises(DataError, match=rf"^.*a\.tar/0\.{suffix}: cannot read"):
        _open(path).take(np.array([0]))


def test_arrays_of_objects_are_refused(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.array([{}], object), allow_pickle=True)
    path = _tar(tmp_path / "a.tar", [("0.npy", stream.getvalue())])
    with pytest.raises(DataError, match="a stranger's code"):
        _open(path).take(np.array([0]))


def test_a_shard_that_is_cut_short_is_told(plain, tmp_path):
    _open(plain)
    path = tmp_path / "train-2.tar"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"train-2\.tar: cannot read this shard: it is cut short, it ends at byte 2000"):
        _open(plain)


def test_more_shards_than_may_be_open_are_read(tmp_path, monkeypatch):
    from rmldnn.data.shards import reading

    monkeypatch.setattr(reading, "OPEN", 2)
    for number in range(5):
        _tar(tmp_path / f"{number}.tar", [(f"{number}.png", _png(number))])
    source = _open(str(tmp_path))
    order = np.array([4, 0, 3, 1, 2, 4, 0])
    assert [sample[0, 0, 0] for sample in source.take(order)] == order.tolist()


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """Shards of others whose sample `i` is of the class `i`; 23 samples in a given number of shards."""
    folder = tmp_path_factory.mktemp("many")

    def many(shards):
        paths = [folder / f"{shards}-{number}.tar" for number in range(shards)]
        if not paths[0].exists():
            for path, part in zip(paths, np.array_split(np.arange(23), shards), strict=True):
                _tar(path, [(f"{i:02}.{s}", d) for i in part for s, d in (("png", _png(i)), ("cls", b"%d" % i))])
        inputs = _open("::".join(map(str, paths)))
        return Dataset(Pipeline(inputs, Part("input")), Pipeline(_open("", "target", inputs=inputs), Part("target")))

    return many


def _seen(dataset, batch_size, world, workers, epoch):
    seen = Counter()
    for rank in range(world):
        loader = Loader(dataset, batch_size, shuffle="epoch", seed=3, rank=rank, world=world, num_workers=workers)
        for batch in loader.epoch(epoch):
            pixels = (batch.inputs[:, 0, 0, 0] * 255).round().long()
            assert (pixels == batch.targets).all()
            seen.update(batch.targets.tolist())
    return seen


@settings(max_examples=15, deadline=None)
@given(shards=st.integers(1, 7), world=st.integers(1, 5), size=st.integers(1, 30), epoch=st.integers(1, 3))
def test_every_sample_comes_once_in_an_epoch(many, shards, world, size, epoch):
    assert _seen(many(shards), size, world, 0, epoch) == Counter(range(23))


@pytest.mark.parametrize(("shards", "world", "workers"), [(5, 2, 0), (5, 2, 2), (1, 1, 8)])
def test_every_sample_comes_once_with_workers(many, shards, world, workers):
    assert _seen(many(shards), 4, world, workers, 1) == Counter(range(23))
