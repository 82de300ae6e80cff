"""Names of classes in files."""

import json

import pytest

from rmldnn.data.class_names import read
from rmldnn.errors import DataError


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.names", "cat\n\n  dog \n", {"cat": 0, "dog": 1}),
        ("data.yaml", "train: ../train/images\nnc: 2\nnames: ['cat', 'no']\n", {"cat": 0, "no": 1}),
        ("coco8.yml", "names:\n  1: dog\n  0: cat\n", {"cat": 0, "dog": 1}),
        (
            "a.json",
            json.dumps({"categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "cat"}]}),
            {"cat": 2, "dog": 9},
        ),
    ],
)
def test_names_have_the_numbers_of_their_file(tmp_path, name, text, names):
    (tmp_path / name).write_text(text)
    found = read(str(tmp_path / name), "key")
    assert list(found.items()) == list(names.items())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.names", "cat\ncat\n", "has the name `cat` twice"),
        ("a.names", "\n", "is empty"),
        ("a.yaml", "names: [cat", "cannot read"),
        ("a.yaml", "names: {0: cat, 2: dog}", "`names` has no index 1; name each class, from 0 without gaps"),
        ("a.yaml", "names: [[cat]]", "has no `names` of classes; write them as names:"),
        ("a.yaml", "names: ['', dog]", "has no `names` of classes"),
        ("a.yaml", "names: []", "has no `names` of classes"),
        ("a.yaml", f"names: {'[' * 5000}", "cannot read"),
        ("a.json", "[" * 10**5, "cannot read"),
        ("a.yaml", "nc: 3", "has no `names` of classes"),
        ("a.yaml", "names: [cat, cat]", "has the name `cat` twice"),
        ("a.json", "[", "cannot read"),
        ("a.json", '{"categories": [{"name": "cat"}]}', "has no `categories` with `id` and `name`"),
        ("a.json", '{"categories": []}', "`categories` is empty"),
        ("b.names", None, "No such file"),
    ],
)
def test_files_without_names_are_told(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read(str(tmp_path / name), "key")
