import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources import labels as module
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.sources.numpy import numpy
from rmldnn.errors import ConfigError, DataError


def folder(root, *names):
    """The inputs of a folder with files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return images(Side("train", "input", str(root)))


def test_classes_are_names_of_folders_in_alphabetical_order(tmp_path):
    source = labels(Side("train", "target", inputs=folder(tmp_path, "dog/1.png", "cat/2.png", "x/bee/3.png")))
    assert source.classes == {"bee": 0, "cat": 1, "dog": 2}


def test_every_input_has_the_index_of_its_class(tmp_path):
    source = labels(Side("train", "target", inputs=folder(tmp_path, "a/1.png", "b/2.png", "c/3.png")))
    taken = source.take(np.array([2, 0]))
    assert (taken.tolist(), taken.dtype) == ([2, 0], np.int64)


@pytest.mark.parametrize(
    ("which", "tags"), [("train", {"training_tag": "set", "test_tag": "no"}), ("test", {"test_tag": "set"})]
)
def test_with_a_tag_the_class_is_the_folder_below_it(tmp_path, which, tags):
    inputs = folder(tmp_path / "set", "cat/deep/1.png", "dog/2.png")
    assert list(labels(Side(which, "target", inputs=inputs), **tags).classes) == ["cat", "dog"]


def test_the_last_folder_of_the_name_of_the_tag_counts(tmp_path):
    inputs = folder(tmp_path / "set" / "a" / "set", "cat/1.png")
    assert list(labels(Side("train", "target", inputs=inputs), training_tag="set").classes) == ["cat"]


def test_test_classes_have_the_indices_of_the_training_set(tmp_path):
    training = labels(Side("train", "target", inputs=folder(tmp_path / "train", "a/1.png", "b/1.png", "c/1.png")))
    inputs = folder(tmp_path / "test", "c/1.png", "a/1.png")
    assert labels(Side("test", "target", inputs=inputs, training=training)).indices.tolist() == [0, 2]


def test_without_a_training_set_the_test_set_gives_the_classes(tmp_path):
    assert labels(Side("test", "target", inputs=folder(tmp_path, "b/1.png", "c/1.png"))).classes == {"b": 0, "c": 1}


def test_one_class_can_be_tested_alone(tmp_path):
    training = labels(Side("train", "target", inputs=folder(tmp_path / "train", "a/1.png", "b/1.png")))
    inputs = folder(tmp_path / "test" / "b", "1.png")
    assert labels(Side("test", "target", inputs=inputs, training=training)).indices.tolist() == [1]


def test_a_class_only_in_the_test_set_is_an_error(tmp_path):
    training = labels(Side("train", "target", inputs=folder(tmp_path / "train", "a/1.png", "b/1.png")))
    inputs = folder(tmp_path / "test", "a/1.png", "new/7.png")
    with pytest.raises(DataError, match=r"class `new` .*test/new/7\.png.* must agree .*The training set has `a`, `b`"):
        labels(Side("test", "target", inputs=inputs, training=training))


@pytest.mark.parametrize("which", ["train", "test"])
def test_an_input_outside_the_folders_of_the_classes_is_an_error(tmp_path, which):
    with pytest.raises(DataError, match=r"stray\.png: has no class, as it lies directly in the folder"):
        labels(Side(which, "target", inputs=folder(tmp_path, "a/1.png", "stray.png")))


@pytest.mark.parametrize("names", [["a/1.png"], ["set/1.png"]])
def test_a_tag_that_no_folder_follows_is_an_error(tmp_path, names):
    with pytest.raises(DataError, match=r"1\.png: has no class, as no folder follows `set` .*`training_tag`"):
        labels(Side("train", "target", inputs=folder(tmp_path, *names)), training_tag="set")


def test_labels_are_no_inputs():
    with pytest.raises(ConfigError, match=r"data\.input_type"):
        labels(Side("train", "input", "somewhere"))


def test_the_log_tells_how_many_classes_there_are(tmp_path, said):
    labels(Side("train", "target", inputs=folder(tmp_path, "a/1.png", "b/1.png")))
    assert said()[-2:] == ["Discovering training labels...", "Number of class labels: 2"]


@pytest.mark.parametrize("tag", [None, "set"])
def test_arrays_in_an_archive_are_of_the_class_of_its_folder(tmp_path, tag):
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        np.savez(tmp_path / "set" / name / "all.npz", a=np.ones((1, 2, 2)), b=np.ones((1, 2, 2)))
    inputs = numpy(Side("train", "input", str(tmp_path / "set")))
    source = labels(Side("train", "target", inputs=inputs), training_tag=tag)
    assert (source.classes, source.indices.tolist()) == ({"cat": 0, "dog": 1}, [0, 0, 1, 1])


def test_an_archive_outside_the_folders_of_the_classes_is_an_error(tmp_path):
    np.savez(tmp_path / "all.npz", a=np.ones((1, 2, 2)), b=np.ones((1, 2, 2)))
    inputs = numpy(Side("train", "input", str(tmp_path)))
    with pytest.raises(DataError, match=r"all\.npz: has no class, as it lies directly in the folder"):
        labels(Side("train", "target", inputs=inputs))


def test_each_folder_is_looked_at_once(tmp_path, write, monkeypatch):
    for index in range(12):
        write(tmp_path / str(index % 3) / f"{index}.png")
    looked = []
    monkeypatch.setattr(module, "_folder", lambda inputs, index, *_, **__: looked.append(index) or str(index))
    labels(Side("train", "target", None, images(Side("train", "input", str(tmp_path)))))
    assert looked == [0, 4, 8]
