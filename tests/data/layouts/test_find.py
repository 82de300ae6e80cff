"""What a folder holds, told by names: files here are empty, but for JSON files, which begin as those of COCO."""

from pathlib import Path

import pytest

from rmldnn.data.layouts.find import find, given
from rmldnn.data.layouts.layout import Layout, Pair
from rmldnn.data.layouts.listing import words
from rmldnn.errors import DataError


@pytest.fixture
def holding(tmp_path, monkeypatch):
    """Makes empty files below `data/`."""
    monkeypatch.chdir(tmp_path)

    def holding(names):
        for name in names.split():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"info": {}, "images": []' if name.endswith(".json") else "")
        return "data"

    return holding


def pair(inputs, target=None):
    return Pair(*(None if path is None else f"data/{path}".rstrip("/") for path in (inputs, target)))


CASES = {
    "classes": (
        "train/cat/1.jpg train/dog/1.jpg test/cat/1.jpg test/dog/1.jpg",
        ("folders", "images", "labels", pair("train"), pair("test")),
    ),
    "classes, validated": (
        "Training/cat/1.jpg Training/dog/1.jpg valid/cat/1.jpg valid/dog/1.jpg",
        ("folders", "images", "labels", pair("Training"), pair("valid")),
    ),
    "classes alone": ("cat/1.jpg dog/1.jpg", ("folders", "images", "labels", pair(""), None)),
    "classes one folder down": (
        "flowers/rose/1.png flowers/lily/1.png",
        ("folders", "images", "labels", pair("flowers"), None),
    ),
    "table": ("labels.csv pics/1.jpg pics/2.jpg", ("table", "images", "csv", pair("pics", "labels.csv"), None)),
    "table among pictures": ("labels.csv 1.jpg 2.jpg", ("table", "images", "csv", pair("", "labels.csv"), None)),
    "tables": (
        "train.csv test.csv train/1.jpg test/2.jpg sample_submission.csv",
        ("table", "images", "csv", pair("train", "train.csv"), pair("test", "test.csv")),
    ),
    "one table for both sets": (
        "labels.csv train/1.jpg test/2.jpg",
        ("table", "images", "csv", pair("train", "labels.csv"), pair("test", "labels.csv")),
    ),
    "masks": ("images/1.jpg masks/1.png", ("pairs", "images", "masks", pair("images", "masks"), None)),
    "masks below sets": (
        "train/imgs/1.jpg train/gt/1.png test/imgs/2.jpg test/gt/2.png",
        ("pairs", "images", "masks", pair("train/imgs", "train/gt"), pair("test/imgs", "test/gt")),
    ),
    "masks above sets": (
        "images/train/1.jpg images/val/2.jpg annotations/train/1.png annotations/val/2.png",
        ("pairs", "images", "masks", pair("images/train", "annotations/train"), pair("images/val", "annotations/val")),
    ),
    "sets in the names": (
        "train_images/1.jpg train_masks/1.png test_images/2.jpg test_masks/2.png",
        ("pairs", "images", "masks", pair("train_images", "train_masks"), pair("test_images", "test_masks")),
    ),
    "as in docs/data.md": (
        "train/1.jpg train_masks/1.png test/2.jpg test_masks/2.png",
        ("pairs", "images", "masks", pair("train", "train_masks"), pair("test", "test_masks")),
    ),
    "Oxford pets": (
        "images/1.jpg annotations/trimaps/1.png annotations/xmls/1.xml annotations/list.txt",
        ("pairs", "images", "masks", pair("images", "annotations/trimaps"), None),
    ),
    "nnU-Net": (
        "imagesTr/1.nii.gz labelsTr/1.nii.gz imagesTs/2.nii.gz dataset.json",
        ("pairs", "nifti", "nifti", pair("imagesTr", "labelsTr"), None),
    ),
    "arrays": ("inputs/1.npy targets/1.npy", ("pairs", "numpy", "numpy", pair("inputs", "targets"), None)),
    "stores": (
        "scans/a.zarr/.zarray scans/b.zarr/.zarray labels/a.zarr/.zarray labels/b.zarr/.zarray",
        ("pairs", "zarr", "zarr", pair("scans", "labels"), None),
    ),
    "x and y": (
        "x_train.npy y_train.npy X_test.npy Y_test.npy",
        ("pairs", "numpy", "numpy", pair("x_train.npy", "y_train.npy"), pair("X_test.npy", "Y_test.npy")),
    ),
    "in and out": ("train_in.h5 train_out.h5", ("pairs", "hdf5", "hdf5", pair("train_in.h5", "train_out.h5"), None)),
    "COCO": (
        "annotations/instances_train2017.json annotations/instances_val2017.json annotations/captions_train2017.json "
        "train2017/1.jpg val2017/2.jpg",
        (
            "boxes",
            "images",
            "coco",
            pair("train2017", "annotations/instances_train2017.json"),
            pair("val2017", "annotations/instances_val2017.json"),
        ),
    ),
    "COCO, one file": ("boxes.json images/1.jpg", ("boxes", "images", "coco", pair("images", "boxes.json"), None)),
    "COCO beside the pictures": (
        "train/_annotations.coco.json train/1.jpg valid/_annotations.coco.json valid/2.jpg",
        (
            "boxes",
            "images",
            "coco",
            pair("train", "train/_annotations.coco.json"),
            pair("valid", "valid/_annotations.coco.json"),
        ),
    ),
    "YOLO": ("images/1.jpg labels/1.txt", ("boxes", "images", "yolo", pair("images", "labels"), None)),
    "YOLO below sets": (
        "train/images/1.jpg train/labels/1.txt valid/images/2.jpg valid/labels/2.txt data.yaml",
        ("boxes", "images", "yolo", pair("train/images", "train/labels"), pair("valid/images", "valid/labels")),
    ),
    "YOLO above sets": (
        "images/train/1.jpg images/val/2.jpg labels/train/1.txt labels/val/2.txt",
        ("boxes", "images", "yolo", pair("images/train", "labels/train"), pair("images/val", "labels/val")),
    ),
    "classes that are called as sets are": (
        "train/1.jpg bus/1.jpg car/1.jpg",
        ("folders", "images", "labels", pair(""), None),
    ),
    "pictures in parts": (
        "images_part_1/1.jpg images_part_2/2.jpg meta.csv",
        ("table", "images", "csv", pair("", "meta.csv"), None),
    ),
    "pictures in parts beside a test": (
        "train/images_1/1.jpg train/images_2/2.jpg test/images/3.jpg train.csv",
        ("table", "images", "csv", pair("train", "train.csv"), None),
    ),
    "Darknet": ("1.jpg 1.txt 2.jpg 2.txt", ("boxes", "images", "yolo", pair("", ""), None)),
}


@pytest.mark.parametrize("end", ["", "/", "//"])
@pytest.mark.parametrize("case", CASES)
def test_layout_is_recognised(case, end, holding):
    names, expected = CASES[case]
    (found,) = find(holding(names) + end)
    assert (found.form, found.input_type, found.target_type, found.train, found.test) == expected


def test_weak_words_are_told_as_ambiguous(holding):
    one, other = find(holding("noisy/1.png clean/1.png"))
    assert (one.form, other.form) == ("pairs", "folders")


@pytest.mark.parametrize("names", ["A/1.png B/1.png X/1.png Y/1.png", "low/1.png medium/1.png high/1.png"])
def test_weak_words_among_other_folders_are_rather_classes(names, holding):
    one, other = find(holding(names))
    assert (one.form, other.form) == ("folders", "pairs")


def test_json_files_of_other_content_are_no_annotations(holding, tmp_path):
    folder = holding("train/cat/1.jpg train/dog/1.jpg val/cat/1.jpg val/dog/1.jpg")
    for name in ("train.json", "val.json"):
        (tmp_path / "data" / name).write_text('{"cat": 0, "dog": 1}')
    (found,) = find(folder)
    assert found.form == "folders"


def test_what_annotations_lack_does_not_hide_what_else_there_is(holding):
    (found,) = find(holding("cat/1.jpg dog/1.jpg train.json val.json images/1.jpg"))
    assert found.form == "folders"


@pytest.mark.parametrize(("rows", "form"), [("1.jpg,0\n2.jpg,1\n", "table"), ("0,cat\n0,cat\n1,dog\n", "folders")])
def test_a_table_that_names_pictures_goes_before_their_folders(rows, form, holding, tmp_path):
    folder = holding("train/a/1.jpg train/b/2.jpg")
    (tmp_path / "data/labels.csv").write_text(f"name,kind\n{rows}")
    assert find(folder)[0].form == form


def test_a_table_names_pictures_in_folders_of_any_name(holding, tmp_path):
    folder = holding("batch_a/1.jpg batch_b/2.jpg")
    (tmp_path / "data/labels.csv").write_text("name,kind\n1,0\n2,1\n")
    one, other = find(folder)
    assert (one.form, one.train, other.form) == ("table", pair("", "labels.csv"), "folders")


def test_boxes_beside_pictures_in_parts_are_rather_one_set(holding):
    one, other = find(holding("a/1.jpg a/1.txt b/2.jpg b/2.txt"))
    assert (one.form, one.train, other.form) == ("boxes", pair("", ""), "folders")


def test_two_kinds_of_targets_are_two_layouts(holding):
    found = find(holding("JPEGImages/1.jpg SegmentationClass/1.png SegmentationObject/1.png"))
    assert [one.train.target for one in found] == ["data/SegmentationClass", "data/SegmentationObject"]


def test_validation_is_taken_and_the_test_left(holding):
    names = "train/images/1.jpg train/masks/1.png val/images/2.jpg val/masks/2.png test/images/3.jpg test/masks/3.png"
    (found,) = find(holding(names))
    assert found.test == pair("val/images", "val/masks")
    assert found.notes == ["data/test/images is left out: it is not needed to train"]


def test_classes_deeper_than_their_folders_get_tags(holding):
    (found,) = find(holding("train/cat/a/1.jpg train/dog/1.jpg test/cat/1.jpg test/dog/1.jpg"))
    assert found.keys == {"training_tag": "train", "test_tag": "test"}


@pytest.mark.parametrize("folder", ["data", "data/", "data//"])
def test_classes_deeper_than_their_folders_are_below_a_name(folder, holding):
    holding("cat/a/1.jpg dog/1.jpg")
    (found,) = find(folder)
    assert (found.train, found.keys) == (pair(""), {"training_tag": "data"})


@pytest.mark.parametrize(("folder", "path"), [(".", "../data"), ("./", "../data"), ("..", "../../data")])
def test_the_folder_that_one_is_in_has_a_name(folder, path, holding, tmp_path, monkeypatch):
    holding("cat/a/1.jpg dog/1.jpg")
    monkeypatch.chdir(tmp_path / "data" / ("cat" if folder == ".." else ""))
    (found,) = find(folder)
    assert (found.train.input, found.keys) == (path, {"training_tag": "data"})


def test_given_folders_of_sets_may_end_in_slashes(holding):
    holding("train/cat/a/1.jpg train/dog/1.jpg test/cat/1.jpg")
    found = given("data/train/", None, "data/test/", None)
    assert (found.train, found.test) == (pair("train"), pair("test"))
    assert found.keys == {"training_tag": "train", "test_tag": "test"}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"data.yaml": "names: [cat, dog]", "a.yaml": "names: [no, classes]"}, "data.yaml"),
        ({"coco8.yml": '{"names": {"0": "cat"}}', "a.yaml": "names: foo", "data.yaml": "nc: 2"}, "coco8.yml"),
        ({"images/a.yaml": "names: [cat]"}, "images/a.yaml"),
        ({"data.yaml": "names: [cat" + " " * 2**16 + "]"}, None),
        ({}, None),
    ],
)
def test_a_file_for_yolo_names_the_classes(holding, files, named):
    holding(" ".join(["images/1.jpg", "labels/1.txt", *files]))
    for name, text in files.items():
        (Path("data") / name).write_text(text)
    (found,) = find("data")
    assert found.keys == ({"class_names": f"data/{named}"} if named else {})


def test_other_files_of_yaml_are_no_data(holding):
    (found,) = find(holding("one/dataset.yaml one/pets/cat/1.jpg one/pets/dog/1.jpg"))
    assert found.train.input == "data/one/pets"
    with pytest.raises(DataError, match="holds no data"):
        find(f"{holding('other/a.yaml')}/other")


def test_names_of_classes_are_found(holding):
    (found,) = find(holding("images/1.jpg labels/1.txt labels/classes.txt"))
    assert found.keys == {"class_names": "data/labels/classes.txt"}


@pytest.mark.parametrize(
    "names", ["1.jpg 2.jpg", "1.jpg 1_mask.png 2.jpg 2_mask.png", "train/images/1.jpg", "images/1.jpg val/1.jpg"]
)
def test_what_is_not_recognised_is_told_with_what_is(names, holding):
    with pytest.raises(DataError) as caught:
        find(holding(names))
    assert all(
        text in str(caught.value)
        for text in ("train/<class>/", "images/ and masks/", "Arrays of one file", "--input", "--test-target")
    )


def test_a_folder_without_data_is_told(holding):
    with pytest.raises(DataError, match="holds no data"):
        find(holding("a.xyz"))


def test_a_folder_that_is_not_there_is_told(holding):
    with pytest.raises(DataError, match="does not exist"):
        find("nowhere")


def test_hidden_files_and_folders_above_themselves_are_passed_over(holding, tmp_path):
    folder = holding("cat/1.jpg dog/1.jpg .cache/x/1.jpg __MACOSX/cat/1.jpg")
    (tmp_path / "data/cat/again").symlink_to(tmp_path / "data")
    (found,) = find(folder)
    assert found.train == pair("")


@pytest.mark.parametrize(
    ("names", "target", "expected"),
    [
        ("a/1.jpg b/1.png", "b", ("pairs", "masks")),
        ("a/1.jpg b.csv", "b.csv", ("table", "csv")),
        ("a/1.jpg b.json", "b.json", ("boxes", "coco")),
        ("a/1.jpg b/1.txt", "b", ("boxes", "yolo")),
        ("a/1.npy b/1.npy", "b", ("pairs", "numpy")),
    ],
)
def test_given_paths_say_their_types(names, target, expected, holding):
    holding(names)
    assert given("data/a", f"data/{target}", None, None) == Layout(
        expected[0], "numpy" if "npy" in names else "images", expected[1], pair("a", target), named=True
    )


def test_pictures_of_both_sets_in_one_folder_are_told(holding):
    with pytest.raises(DataError, match="`data/images` holds the pictures of both sets"):
        find(holding("train.json val.json images/1.jpg images/2.jpg"))


def test_given_pairs_need_targets_of_the_test_set(holding):
    holding("a/1.jpg b/1.png c/1.jpg")
    with pytest.raises(DataError, match="--test-target: is missing"):
        given("data/a", "data/b", "data/c", None)


def test_words_of_names():
    assert words("imagesTr") == ["images", "tr"]
    assert words("JPEGImages2") == ["jpeg", "images"]
    assert words("x_train-01") == ["x", "train"]
