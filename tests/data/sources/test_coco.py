import copy
import json

import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources.coco import coco
from rmldnn.errors import ConfigError, DataError
from tests.data.sources.boxed import folder_of

CONTENT = {
    "images": [
        {"id": 30, "file_name": "b/3.png", "width": 40, "height": 20},
        {"id": 10, "file_name": "a/1.png", "width": 40, "height": 20},
        {"id": 20, "file_name": "a/2.png", "width": 30, "height": 30},
    ],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 7, "bbox": [1, 2, 10, 5], "iscrowd": 0},
        {"id": 2, "image_id": 20, "category_id": 3, "bbox": [0, 0, 30, 30.5]},
        {"id": 3, "image_id": 10, "category_id": 3, "bbox": [4, 4, 8, 8], "iscrowd": 1},
    ],
    "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
}


@pytest.fixture
def content():
    """Annotations of three pictures, to be spoilt."""
    return copy.deepcopy(CONTENT)


@pytest.fixture
def opened(tmp_path):
    """Opens annotations for the three pictures."""

    def opened(content, which="train", **keys):
        file = tmp_path / f"{which}.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return coco(Side(which, "target", str(file), folder_of(tmp_path / "pictures"), **keys))

    return opened


def taken(source, index):
    return source.take(np.array([index]))[0].tolist()


def test_boxes_are_corners_behind_the_frame(opened, content):
    source = opened(content)
    frame = [-1, 0, 0, 40, 20]
    assert taken(source, 0) == [frame, [1, 1, 2, 11, 7], [-2, 4, 4, 12, 12]]  # a dog, and a crowd of cats
    assert taken(source, 2) == [frame]
    assert (source.meaning, source.most, source.num_objects) == ("boxes", 2, 2)


def test_boxes_that_reach_a_little_beyond_the_picture_are_cut(opened, content):
    assert taken(opened(content), 1)[1] == [0, 0, 0, 30, 30]


def test_classes_follow_the_numbers_of_categories(opened, content):
    source = opened(content)
    assert source.classes == {"cat": 0, "dog": 1}
    assert source.category_ids == [3, 7]
    assert source.image_ids == [10, 20, 30]


def test_a_test_set_has_the_classes_of_the_training_set(opened, content):
    training = opened(content)
    content["categories"] = [{"id": 1, "name": "dog"}]
    content["annotations"] = [{"id": 1, "image_id": 10, "category_id": 1, "bbox": [1, 2, 10, 5]}]
    source = opened(content, "test", training=training)
    assert taken(source, 0)[1][0] == 1
    assert source.classes == {"cat": 0, "dog": 1}
    assert source.category_ids == [-1, 1]


def test_a_category_that_the_training_set_has_not_is_told(opened, content):
    training = opened(content)
    content["categories"].append({"id": 9, "name": "cow"})
    with pytest.raises(DataError, match="category `cow` is none of the training set: `cat`, `dog`"):
        opened(content, "test", training=training)


def test_pictures_are_found_without_their_folders(opened, content):
    for image in content["images"]:
        image["file_name"] = f"somewhere/{image['file_name'].rpartition('/')[2]}"
    assert opened(content).image_ids == [10, 20, 30]


def test_a_picture_without_an_entry_is_told(opened, content):
    del content["images"][1]
    with pytest.raises(DataError, match=r"no entry in `images` for 1 of 3 pictures: `a/1.png`; add one"):
        opened(content)


def test_entries_of_other_pictures_are_passed_over_and_told(opened, content, caplog):
    content["images"].append({"id": 4, "file_name": "gone.png", "width": 1, "height": 1})
    content["annotations"].append({"id": 9, "image_id": 4, "category_id": 3, "bbox": "no box"})
    assert len(opened(content).names) == 3
    assert "1 of 4 pictures are not in the training set: `gone.png`" in caplog.text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"bbox": [1, 2, 0, 5]}, r"annotations\[0\] \(id 1\): the box \[1, 2, 0, 5\] has no area"),
        ({"bbox": [1, 2, 5]}, "`bbox` must be left, top, width, height"),
        ({"bbox": [1, 2, 5, "9"]}, "`bbox` must be left, top, width, height"),
        ({"bbox": [1, 2, float("nan"), 9]}, "`bbox` must be left, top, width, height"),
        ({"bbox": [30, 2, 20, 5]}, r"reaches beyond its picture of 40 x 20 \(width x height\); cut it"),
        ({"bbox": [40, 2, 1, 5]}, r"beyond its picture of 40 x 20 \(width x height\), nothing of it is left there"),
        ({"bbox": [-1, 2, 1, 5]}, "lies beyond its picture"),
        ({"bbox": [1, 20, 5, 1.5]}, "lies beyond its picture"),
        ({"bbox": [39.9999999, 2, 1, 5]}, "lies beyond its picture"),
        ({"bbox": [10**400, 2, 1, 5]}, "`bbox` must be left, top, width, height"),
        ({"category_id": 4}, "there is no category 4; add it to `categories`"),
        ({"category_id": [7]}, r"there is no category \[7\]; add it"),
        ({"iscrowd": "0"}, '`iscrowd` must be 0 or 1, got "0"; repair it'),
    ],
)
def test_boxes_that_cannot_be_used_are_told(opened, content, fault, words):
    content["annotations"][0].update(fault)
    with pytest.raises(DataError, match=words) as caught:
        opened(content)
    assert "train.json" in str(caught.value)
    assert '"on_bad_sample": "skip"' in str(caught.value)


def test_several_faults_are_told_at_once(opened, content):
    for annotation in content["annotations"]:
        annotation["bbox"] = [1, 2, -3, 4]
    with pytest.raises(DataError, match=r"3 labels cannot be used; .*\n.*\(id 1\).*\n.*\(id 3\).*\n.*\(id 2\)"):
        opened(content)


def test_where_bad_samples_are_left_out_only_their_picture_is(opened, content):
    content["annotations"][0]["bbox"] = [1, 2, 0, 5]
    source = opened(content, skip_bad=True)
    assert len(taken(source, 1)) == 2
    with pytest.raises(DataError, match="has no area"):
        taken(source, 0)


def test_a_picture_of_another_size_is_told(opened, content):
    content["images"][1]["width"] = 80
    source = opened(content)
    with pytest.raises(DataError, match="is 40 x 20, but its entry says 80 x 20"):
        taken(source, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n"images": [,\n', r"train.json:2: cannot read these annotations"),
        ("[]", "has no list `images`"),
        ('{"images": [], "annotations": []}', "has no list `categories`"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', r"images\[0\]: `file_name` is missing"),
        (f'{{"images": [{"1" * 5000}]}}', "cannot read these annotations"),
        ("[" * 100_000, "cannot read these annotations"),
    ],
)
def test_a_file_that_is_something_else_is_told(opened, text, words):
    with pytest.raises(DataError, match=words):
        opened(text)


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("images", "width", "40", 'images.1.: `width` must be a whole number of pixels, at least 1, got "40"; repair'),
        ("images", "width", None, "`width` must be a whole number of pixels, at least 1, got null"),
        ("images", "height", 0, "`height` must be a whole number of pixels, at least 1, got 0"),
        ("images", "id", [1], r"images\[1\]: `id` must be a whole number, got \[1\]"),
        ("images", "file_name", 1, "`file_name` must be a text, got 1"),
        ("images", "id", 30, r"images\[0\] and images\[1\] have the same `id`, 30, .*; remove or repair one of them"),
        ("images", "file_name", "./b/3.png", r"images\[0\] and images\[1\] have the same `file_name`"),
        ("categories", "id", "x", 'categories\\[1\\]: `id` must be a whole number, got "x"; repair it'),
        ("categories", "id", 7, "two categories with the `id` 7; give one of them another"),
        ("annotations", "image_id", 99, r"annotations\[1\] \(id 2\): `image_id` .* no entry in `images`, got 99; add"),
        ("annotations", "image_id", "20", '`image_id` .* no entry in `images`, got "20"; write it as the .* does, 20'),
        ("annotations", "image_id", [20], r"no entry in `images`, got \[20\]; add the entry, repair this, or remove"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("skip_bad", [False, True])
def test_entries_of_which_nobody_knows_whose_they_are_are_told(opened, content, part, key, value, words, skip_bad):
    content[part][1][key] = value
    with pytest.raises(DataError, match=rf"train\.json: .*{words}"):
        opened(content, skip_bad=skip_bad)


def test_annotations_that_are_lost_are_told_at_once(opened, content):
    content["annotations"][0] = "x"
    del content["annotations"][1]["image_id"]
    with pytest.raises(DataError, match=r'annotations\[0\]: must be an object, got "x"; .* \(1 more like'):
        opened(content)


def test_an_entry_of_two_pictures_is_told(opened, content, tmp_path):
    folder_of(tmp_path / "pictures", {"b/1.png": (20, 40)})
    content["images"][1]["file_name"] = "1.png"
    with pytest.raises(DataError, match=r"the entry `1.png` .* that of 2 pictures: `a/1.png`, `b/1.png`; write their"):
        opened(content)


def test_two_categories_of_one_name_are_told(opened, content):
    content["categories"][1]["name"] = "dog"
    with pytest.raises(DataError, match="two categories called `dog`"):
        opened(content)


def test_there_are_none_without_a_path(tmp_path):
    assert coco(Side("test", "target", None, folder_of(tmp_path))) is None


def test_boxes_are_no_inputs():
    with pytest.raises(ConfigError, match="`coco` are targets"):
        coco(Side("train", "input", "x.json"))
