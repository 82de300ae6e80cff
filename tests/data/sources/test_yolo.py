import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources.yolo import yolo
from rmldnn.errors import ConfigError, DataError
from tests.data.sources.boxed import folder_of

LABELS = {"a/1": "1 0.5 0.5 0.5 0.5\n0 0.25 0.5 0.1 0.2\n", "a/2": "\n", "b/3": "2 0.9 0.9 0.2 0.2\r\n"}


@pytest.fixture
def opened(tmp_path):
    """Opens files of boxes for the three pictures."""

    def opened(labels=LABELS, which="train", names=None, **keys):
        for name, text in labels.items():
            path = tmp_path / which / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if names is not None:
            (tmp_path / "classes.names").write_text(names)
        side = Side(which, "target", str(tmp_path / which), folder_of(tmp_path / "pictures"), **keys)
        return yolo(side, class_names=str(tmp_path / "classes.names") if names is not None else None)

    return opened


def taken(source, index):
    return source.take(np.array([index]))[0]


def test_boxes_are_corners_in_pixels_behind_the_frame(opened):
    source = opened()
    np.testing.assert_allclose(taken(source, 0), [[-1, 0, 0, 40, 20], [1, 10, 5, 30, 15], [0, 8, 8, 12, 12]], rtol=1e-6)
    assert taken(source, 1).tolist() == [[-1, 0, 0, 30, 30]]
    assert (source.meaning, source.most, list(source.classes)) == ("boxes", 2, ["0", "1", "2"])


def test_names_of_classes_stand_in_a_file(opened):
    assert opened(names="cat\ndog\n\ncow\n").classes == {"cat": 0, "dog": 1, "cow": 2}


def test_a_test_set_has_the_classes_of_the_training_set(opened):
    training = opened(names="cat\ndog\ncow\n")
    assert opened({"a/1": "0 0.5 0.5 0.5 0.5\n"}, "test", training=training).classes == training.classes


def test_pictures_without_a_file_have_no_boxes_which_is_told(opened, caplog):
    source = opened({"a/1": LABELS["a/1"]})
    assert len(taken(source, 2)) == 1
    assert "2 of 3 pictures have no file of boxes" in caplog.text


def test_files_of_which_none_belongs_to_a_picture_are_told(opened):
    with pytest.raises(DataError, match=r"no file of boxes .* belongs to a picture; .*a/1.txt"):
        opened({"c/9": LABELS["a/1"]})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("3 0.5 0.5 0.5 0.5", "class 3 is none; classes are whole numbers from 0 to 2"),
        ("-1 0.5 0.5 0.5 0.5", "class -1 is none"),
        ("0.5 0.5 0.5 0.5 0.5", "class 0.5 is none"),
        ("1 0.5 0.5 0.5", "must be five numbers"),
        ("1 0.5 0.5 0.5 x", "must be five numbers"),
        ("1 0.5 0.5 nan 0.5", "must be five numbers"),
        ("1 0.5 0.5 0.5 0", "the box has no area"),
        ("1 0.9 0.5 0.5 0.5", "reaches beyond its picture"),
        ("1 1.004 0.5 0.002 0.1", "lies beyond its picture, nothing of it is left there"),
        ("1 0.5 -0.001 0.1 0.002", "lies beyond its picture"),
        ("1 20 10 8 4", "reaches beyond its picture; numbers are parts"),
    ],
)
def test_lines_that_are_no_boxes_are_told(opened, line, words):
    with pytest.raises(DataError, match=rf"a/1\.txt:2: .*{words}"):
        opened({**LABELS, "a/1": f"0 0.5 0.5 0.5 0.5\n{line}\n"}, names="a\nb\nc\n")


def test_where_bad_samples_are_left_out_only_their_picture_is(opened):
    source = opened({**LABELS, "a/1": "0 0.5 0.5 0 0\n"}, skip_bad=True)
    assert len(taken(source, 2)) == 2
    with pytest.raises(DataError, match=r"a/1.txt:1: the box has no area"):
        taken(source, 0)


@pytest.mark.parametrize(("names", "words"), [("a\na\n", "has the name `a` twice"), ("\n", "is empty")])
def test_names_that_are_none_are_told(opened, names, words):
    with pytest.raises(DataError, match=f"data.class_names: .*{words}"):
        opened(names=names)


def test_boxes_are_no_inputs():
    with pytest.raises(ConfigError, match="`yolo` are targets"):
        yolo(Side("train", "input", "x"))
