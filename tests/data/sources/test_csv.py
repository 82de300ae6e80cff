from pathlib import Path

import numpy as np
import pytest

from rmldnn.data.source import Side, Source
from rmldnn.data.sources.csv import csv
from rmldnn.errors import ConfigError, DataError

NUMBERS = {"meaning": "numbers"}
XY = {"columns": ["x", "y"]}


class Inputs(Source):
    """Inputs of given names."""

    kind = "inputs"

    def __init__(self, *names):
        self.names = names


@pytest.fixture
def opened(tmp_path):
    """Opens a table of a text for inputs of some names."""

    def opened(text, *names, which="train", training=None, **keys):
        file = tmp_path / f"{which}.csv"
        file.write_text(text, encoding="utf-8")
        inputs = Inputs(*(names or ("a/1.png", "a/2.png", "b/3.png")))
        return csv(Side(which, "target", str(file), inputs, training), **keys)

    return opened


def everything(source):
    return source.take(np.arange(len(source.names))).tolist()


def test_names_of_classes_count_in_alphabetical_order(opened):
    source = opened("file,class\nb/3.png,cat\na/1.png,dog\na/2.png,cat\n")
    assert (everything(source), source.classes, source.meaning) == ([1, 0, 0], {"cat": 0, "dog": 1}, "classes")
    assert source.take(np.array([2])).dtype == np.int64
    assert Path(source.locate(0)).name == "train.csv:3"


@pytest.mark.parametrize(("largest", "meaning"), [(99, "classes"), (100, "values"), (10_000_000, "values")])
def test_large_whole_numbers_are_quantities(opened, largest, meaning):
    source = opened(f"file,class\na/1.png,2\na/2.png,0\nb/3.png,{largest}\n")
    assert source.meaning == meaning


def test_large_indices_are_told(opened):
    with pytest.raises(DataError, match=r"train.csv: class indices count from 0 up to 65535 at most, got 65536"):
        opened("file,class\na/1.png,2\na/2.png,0\nb/3.png,65536\n", meaning="classes")


def test_whole_numbers_are_indices(opened):
    source = opened("file,class\na/1.png,2\na/2.png,0\nb/3.png,02\n")
    assert (everything(source), list(source.classes)) == ([2, 0, 2], ["0", "1", "2"])


@pytest.mark.parametrize(
    ("text", "keys", "numbers"),
    [
        ("file,age\na/1.png,2.5\na/2.png,-1\nb/3.png,3\n", {}, [[2.5], [-1], [3]]),
        ("file,x,y\na/1.png,1,2\na/2.png,3,4\nb/3.png,5,6e1\n", {}, [[1, 2], [3, 4], [5, 60]]),
        ("file,x,y\na/1.png,1,2\na/2.png,3,4\nb/3.png,5,6\n", {"columns": ["y"], **NUMBERS}, [[2], [4], [6]]),
        ("file,n,y,x\na/1.png,A,1,2\na/2.png,B,3,4\nb/3.png,C,5,6\n", XY, [[2, 1], [4, 3], [6, 5]]),
    ],
)  # fmt: skip
def test_numbers_are_as_many_targets_as_columns(opened, text, keys, numbers):
    source = opened(text, **keys)
    assert (everything(source), source.meaning, dict(source.classes)) == (numbers, "values", {})
    assert source.take(np.array([0])).dtype == np.float32


@pytest.mark.parametrize(
    "text",
    [
        "a/1.png,x\na/2.png,y\nb/3.png,y\n",
        "file;class\na/1;x\na/2;y\nb/3;y\n",
        "\ufefffile\tclass\n1.png\tx\n2.png\ty\n3.png\ty\n",
        "file,class\n\n./a/1.png, x\na\\2.png,y\nb/3.png,y\n",
        'file,class\n"1","x"\n2,y\n3,y\n4,y\n',
    ],
    ids=["no head", "no suffix", "file names", "other spellings", "stems, and rows of others"],
)
def test_rows_find_their_inputs(opened, text):
    assert everything(opened(text)) == [0, 1, 1]


def test_the_test_set_has_the_classes_of_training(opened):
    training = opened("file,class\na/1.png,x\na/2.png,y\nb/3.png,z\n")
    test = opened("file,class\nc.png,z\n", "c.png", which="test", training=training)
    assert (everything(test), test.classes) == ([2], training.classes)
    with pytest.raises(DataError, match=r"test\.csv:2: class `w` is none of the training set, which has `x`, `y`, `z`"):
        opened("file,class\nc.png,w\n", "c.png", which="test", training=training)


def test_the_test_set_has_numbers_where_training_has(opened):
    training = opened("file,age\na/1.png,0.5\na/2.png,1\nb/3.png,2\n")
    assert everything(opened("file,age\nc.png,3\n", "c.png", which="test", training=training)) == [[3]]


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        ("file,class\na/1.png,x\n", {}, r"data\.target_path: `.*train\.csv` has no row for 2 of 3 inputs: `a/2"),
        ("file,class\na/1.png,x\na/1.png,y\n", {}, r"train\.csv:3: `a/1\.png` has a row in line 2 already"),
        ("file,class\na/1.png,x\na/2.png,\nb/3.png,y\n", {}, r"train\.csv:3: the column `class` is empty"),
        ("file,class\na/1.png,x\na/2.png\nb/3.png,y\n", {}, r"train\.csv:3: the column `class` is empty"),
        ("file,x,y\na/1.png,1,2\na/2.png,1,old\nb/3.png,1,2\n", {}, r"csv:3: the column `y` must hold numbers, got"),
        ("file,x\na/1.png,nan\na/2.png,1\nb/3.png,1\n", NUMBERS, r"train\.csv:2: .* got `nan`"),
        ("file,class\na/1.png,x\n", {"columns": ["clas"]}, r"columns: there is no column `clas` in"),
        ("", {}, r"train\.csv: needs a column of names of inputs, and one of targets"),
        ("a/1.png\n", {}, r"train\.csv: needs a column of names of inputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(opened, text, keys, message):
    with pytest.raises(DataError, match=message):
        opened(text, **keys)


def test_classes_stand_in_one_column(opened):
    with pytest.raises(ConfigError, match=r"data\.columns: must name the one column of the classes: `x`, `y`"):
        opened("file,x,y\na/1.png,1,2\na/2.png,3,4\nb/3.png,5,6\n", meaning="classes")


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "t.csv").write_bytes("file,class\na.png,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv: cannot read this table: .*; save it as text in UTF-8"):
        csv(Side("train", "target", str(tmp_path / "t.csv"), Inputs("a.png")))


def test_several_tables(tmp_path):
    for name in ("s.csv", "t.csv"):
        (tmp_path / name).write_text("file,class\na.png,x\n")
    with pytest.raises(DataError, match=r"there are several tables in `.*`: `s\.csv`, `t\.csv`; name one"):
        csv(Side("train", "target", str(tmp_path), Inputs("a.png")))


def test_a_table_is_no_input():
    with pytest.raises(ConfigError, match=r"data\.input_type: `csv` are targets, not inputs"):
        csv(Side("train", "input", "t.csv"))


def test_without_a_path_there_are_no_targets():
    assert csv(Side("test", "target", None, Inputs("a.png"))) is None
