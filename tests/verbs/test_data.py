"""`rmldnn data`: what it prints about a configuration, and what it ends with."""

import json
import shutil

import cv2
import h5py
import numpy as np
import pytest

from rmldnn.errors import ConfigError, DataError
from rmldnn.verbs.data import main


@pytest.fixture
def data(pictures, config, capsys):
    """Runs the command on the configuration; its exit code and what it said."""

    def data(*words):
        (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
        code = main(["config.json", *words])
        return code, capsys.readouterr().out

    return data


def test_tables_and_a_picture(data, pictures):
    code, said = data()
    assert code == 0
    assert "Training set: 22 images" in said
    assert "12 x 12 x 1" in said
    assert "Picture of 16 samples: data.png" in said
    assert (pictures / "data.png").read_bytes().startswith(b"\x89PNG")


def test_facts_for_programs(data):
    facts = json.loads(data("--json")[1])
    assert facts["sets"]["train"]["classes"] == [
        {"index": 0, "name": "down", "count": 11, "first": "./train/down/down_0.png"},
        {"index": 1, "name": "up", "count": 11, "first": "./train/up/up_0.png"},
    ]
    assert facts["sets"]["test"]["sides"]["input"]["shapes"] == [{"shape": [12, 12, 1], "dtype": "uint8", "samples": 6}]
    assert facts["warnings"] == []


def test_the_picture_goes_where_it_is_wanted(data, pictures):
    data("--sheet", "x.png")
    assert (pictures / "x.png").exists()
    assert not (pictures / "data.png").exists()


def test_a_limit_says_how_many_were_looked_at(data):
    assert "Test set: 6 images, of which 2 were looked at" in data("--limit", "2")[1]


def test_files_that_cannot_be_read_are_all_told_and_end_in_exit_code_3(data, pictures):
    for place in ("train/up/x.png", "train/down/y.png", "test/up/z.png"):
        (pictures / place).write_bytes(b"")
    code, said = data()
    assert code == 3
    assert "Training set: 2 cannot be used" in said
    assert all(f"{name}: cannot read this image: the file is empty" in said for name in ("x.png", "y.png", "z.png"))


def test_what_is_in_both_sets_is_a_warning(data, pictures):
    shutil.copy(pictures / "train/up/up_0.png", pictures / "test/up/z.png")
    code, said = data()
    assert code == 0
    assert "Warning: 1 sample is in both sets" in said
    assert "./train/up/up_0.png = ./test/up/z.png" in said


def test_what_is_there_twice_is_a_warning(data, pictures):
    shutil.copy(pictures / "train/up/up_0.png", pictures / "train/up/z.png")
    assert "the training set holds the same more than once:\n  ./train/up/up_0.png = ./train/up/z.png" in data()[1]


def test_a_class_without_samples_is_a_warning(data, pictures):
    shutil.rmtree(pictures / "test/down")
    assert "Warning: the test set has no sample of: down" in data()[1]


def test_classes_of_maps_are_counted_in_pixels_with_where_each_occurs_first(data, pictures, config):
    for folder in ("in", "out"):
        (pictures / folder).mkdir()
        for index in range(2):
            cv2.imwrite(str(pictures / folder / f"{index}.png"), np.full((4, 4), index, np.uint8))
    config["data"] = {"input_type": "images", "target_type": "masks", "input_path": "./in/", "target_path": "./out/"}
    lines = [line.split() for line in data()[1].splitlines()]
    assert ["Index", "Name", "Pixels", "Share", "First", "in"] in lines
    assert ["1", "16", "50.00%", "./out/1.png"] in lines


def test_a_mask_of_other_proportions_that_a_resize_hides_is_a_warning(data, pictures, config):
    for folder, extents in (("in", [(12, 18), (12, 18), (15, 20)]), ("out", [(12, 18), (18, 12), (8, 10)])):
        (pictures / folder).mkdir()
        for index, extent in enumerate(extents):
            cv2.imwrite(str(pictures / folder / f"{index}.png"), np.full(extent, index, np.uint8))
    config["data"] = {
        "input_type": "images",
        "target_type": "masks",
        "input_path": "./in/",
        "target_path": "./out/",
        "transforms": [{"resize": [12, 12]}],
    }
    (warning,) = json.loads(data("--json")[1])["warnings"]
    assert warning == (
        "in the training set a target has other proportions than its input, although transforms make them of one "
        "extent: ./in/1.png is 12 x 18, ./out/1.png is 18 x 12; look whether they lie on one another"
    )


def test_changes_on_the_command_line_count(data):
    assert "12 x 12 x 3" in data("data.grayscale=false")[1]


def test_a_set_that_cannot_be_opened_is_an_error(data, pictures):
    shutil.rmtree(pictures / "test")
    with pytest.raises(DataError, match=r"data\.test_input_path: `\./test/` does not exist"):
        data()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--limit", "0"], "--limit must be a positive integer, got 0"),
        (["--sheet", "x.jpg"], r"--sheet must be a file that ends in \.png, got x\.jpg"),
        (["other.json"], r"takes one configuration file, got config\.json, other\.json"),
        (["data.bach_size=3"], "bach_size"),
    ],
)
def test_a_wrong_command_line_is_told(data, words, fault):
    with pytest.raises(ConfigError, match=fault):
        data(*words)


@pytest.fixture
def predicted(pictures):
    """A file of predictions of some test pictures."""
    with h5py.File(pictures / "output_2.h5", "w") as file:
        for index in range(2):
            file[f"up/up_{index}.png"] = np.array([-0.1, -2.0], np.float32)
    return "output_2.h5"


def test_predictions_are_drawn_over_test_samples(data, predicted):
    assert "Picture of 2 samples: data.png" in data("--predictions", predicted)[1]


def test_no_more_samples_are_drawn_than_wanted(data, predicted):
    assert "Picture of 1 sample: data.png" in data("--predictions", predicted, "--samples", "1")[1]


def test_predictions_of_other_samples_are_told(data, pictures):
    h5py.File(pictures / "other.h5", "w").close()
    with pytest.raises(DataError, match=r"other\.h5: has predictions of none of the test samples, such as `down/"):
        data("--predictions", "other.h5")


def test_a_file_without_predictions_is_told(data, pictures):
    (pictures / "output.h5").write_text("text")
    with pytest.raises(DataError, match="cannot be read as a file of predictions"):
        data("--predictions", "output.h5")


def test_a_file_of_predictions_that_is_not_there_is_told_with_those_that_are(data, predicted):
    with pytest.raises(DataError, match=r"output_3\.h5: there is no such file of predictions; `\.` has output_2\.h5$"):
        data("--predictions", "output_3.h5")


def test_detections_are_drawn_by_a_run(data, pictures):
    (pictures / "detections_2.json").write_text("[]")
    with pytest.raises(DataError, match=r"detections_2\.json: .*: say `\"pictures\": 20` in `task`"):
        data("--predictions", "detections_2.json")


@pytest.mark.parametrize(("arrays", "name"), [("a", "rocks"), ("ab", "b/rocks")], ids=["one array", "several"])
def test_a_volume_put_together_from_slices_is_told_as_such(data, pictures, config, arrays, name):
    with h5py.File(pictures / "block.h5", "w") as file:
        for array in arrays:
            file[array] = np.random.default_rng(0).random((4, 8, 8), np.float32)
    with h5py.File(pictures / "volume.h5", "w") as file:
        file[name] = np.zeros((4, 8, 8, 2), np.float32)
    config["data"] = {
        "type": "hdf5",
        **{f"{which}_path": "block.h5" for which in ("input", "target", "test_input", "test_target")},
        "slicers": [{"name": "rocks", "sizes": [1, 8, 8]}],
    }
    with pytest.raises(
        DataError, match=rf"volume\.h5: holds a volume put together from slices, `{name}`, .*picture\.py"
    ):
        data("--predictions", "volume.h5")


def test_predictions_without_a_test_set_are_refused(data, config, predicted):
    del config["data"]["test_input_path"]
    with pytest.raises(ConfigError, match=r"--predictions needs a test set; name it as data\.test_input_path"):
        data("--predictions", predicted)
