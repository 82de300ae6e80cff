import cv2
import numpy as np
import pytest

from rmldnn.data.contact_sheet import draw_sheet
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Side
from rmldnn.data.sources.numpy import numpy
from rmldnn.data.transform import Part
from rmldnn.errors import DataError, RmldnnError


@pytest.fixture
def sheet(tmp_path, pictures):
    """Draws samples, and targets of a meaning; the picture as it is in its file."""

    def sheet(inputs, targets=None, meaning="classes", **keys):
        sides = [Pipeline(pictures(*inputs), Part("input"))]
        if targets is not None:
            source = pictures(*targets)
            source.meaning = meaning
            sides.append(Pipeline(source, Part("target")))
        count = draw_sheet(Dataset(*sides), str(tmp_path / "sheet.png"), **keys)
        assert count == min(len(inputs), keys.get("samples", 16))
        return cv2.imread(str(tmp_path / "sheet.png"))

    return sheet


RED = np.full((10, 10, 3), (0, 0, 255), np.uint8)


def test_pictures_are_shown_in_their_colours(sheet):
    assert sheet([RED])[100, 100].tolist() == [0, 0, 255]


def test_pictures_that_are_read_red_first_are_too(tmp_path, pictures):
    source = pictures(RED[..., ::-1])
    source.rgb = True
    draw_sheet(Dataset(Pipeline(source, Part("input"))), str(tmp_path / "a.png"))
    assert cv2.imread(str(tmp_path / "a.png"))[100, 100].tolist() == [0, 0, 255]


def test_no_more_than_wanted_are_drawn(sheet):
    assert sheet([RED] * 9, samples=2).shape == sheet([RED] * 2).shape


def test_a_class_map_lies_over_the_picture_beside_it(sheet):
    indices = np.zeros((10, 10, 1), np.uint8)
    indices[5:] = 1
    drawn = sheet([RED], [indices])
    left, right = drawn[:, 8:200], drawn[:, 200:392]
    assert (left[50, 96] == right[50, 96]).all()
    assert (left[150, 96] != right[150, 96]).any()


@pytest.mark.parametrize(
    ("sample", "target"),
    [
        (np.zeros((4, 6, 3), np.uint8), np.int64(1)),
        (np.full((4, 6, 1), 60_000, np.uint16), np.zeros((2, 3, 1), np.int64)),
        (np.random.default_rng(0).random((3, 4, 6, 2), np.float32), np.full((3, 4, 6, 1), -1)),
        (np.random.default_rng(0).random((50, 2), np.float32), np.arange(4)),
        (np.full((7,), np.nan, np.float32), np.int64(0)),
        (np.zeros((1, 1, 1), np.float32), np.full((1, 1, 1), 300)),
        (np.zeros((4, 3000, 4), np.uint8), np.zeros((4, 3000, 1), np.uint8)),
    ],
    ids=["class", "16-bit", "volume", "line", "vector", "one number", "long"],
)
def test_samples_of_any_kind_are_drawn(sheet, sample, target):
    targets = [target] if target.ndim != 1 else None
    assert sheet([sample], targets).ndim == 3


def test_targets_that_are_pictures_stand_beside_the_inputs(sheet):
    assert sheet([RED], [255 - RED], "pixels")[100, 300].tolist() == [255, 255, 0]


def test_samples_that_cannot_be_read_are_passed_over(tmp_path):
    for index in range(3):
        np.save(tmp_path / f"{index}.npy", np.zeros((1, 4, 4)))
    (tmp_path / "1.npy").write_bytes(b"")
    source = numpy(Side("train", "input", str(tmp_path)))
    with pytest.raises(DataError):
        source.take(np.arange(3))
    assert draw_sheet(Dataset(Pipeline(source, Part("input"))), str(tmp_path / "a.png")) == 2


def test_a_picture_that_cannot_be_written_is_told(sheet, tmp_path):
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(RmldnnError, match=r"cannot write `.*sheet\.png`: "):
        sheet([RED])


def test_a_class_that_was_predicted_wrongly_is_told_in_red(sheet):
    wrong = sheet([RED], [np.int64(1)], predicted=lambda name: np.array([0.9, 0.1]))
    right = sheet([RED], [np.int64(1)], predicted=lambda name: np.array([0.1, 0.9]))

    def red(picture):
        words = picture[200:216].astype(int)
        return bool(((words[..., 2] - words[..., 0]) > 100).any())

    assert (red(wrong), red(right)) == (True, False)


@pytest.mark.parametrize("scores", [1, 2])
def test_a_map_that_was_predicted_lies_over_the_picture_behind_the_target(sheet, scores):
    indices = np.zeros((10, 10, 1), np.uint8)
    indices[5:] = 1
    prediction = np.stack([1.0 - indices[..., 0], indices[..., 0]])[-scores:]
    drawn = sheet([RED], [indices], predicted=lambda name: prediction)
    assert (drawn[:, 200:392][8:200] == drawn[:, 392:584][8:200]).all()


def test_a_picture_that_was_predicted_stands_behind_the_target(sheet):
    prediction = np.zeros((3, 10, 10), np.float32)
    prediction[1] = 1  # green; the order of the sample
    drawn = sheet([RED], [255 - RED], "pixels", predicted=lambda name: prediction)
    assert drawn[100, 500].tolist() == [0, 255, 0]


def test_samples_without_a_prediction_are_passed_over(tmp_path, pictures):
    dataset = Dataset(Pipeline(pictures(RED, RED), Part("input")))
    assert draw_sheet(dataset, str(tmp_path / "a.png"), predicted=lambda name: None) == 0
