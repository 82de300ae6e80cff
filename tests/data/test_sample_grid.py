"""Samples in rows and columns."""

import cv2
import numpy as np
import pytest

from rmldnn.data.sample_grid import draw_grid
from rmldnn.errors import RmldnnError


def drawn(tmp_path, samples, columns, bounds=None):
    draw_grid(samples, columns, tmp_path / "grid.png", bounds)
    return cv2.imread(str(tmp_path / "grid.png"), cv2.IMREAD_UNCHANGED)


def test_samples_lie_row_by_row(tmp_path):
    samples = np.arange(6.0).reshape(6, 1, 1, 1).repeat(32, 2).repeat(32, 3)
    sheet = drawn(tmp_path, samples, 3, (0.0, 5.0))
    assert sheet.shape == (2 * 34 + 2, 3 * 34 + 2)
    assert sheet[10::34, 10::34].tolist() == [[0, 51, 102], [153, 204, 255]]


def test_colours_stay_what_they_are(tmp_path):
    red = np.zeros((1, 3, 32, 32))
    red[:, 0] = 1
    assert drawn(tmp_path, red, 1, (0.0, 1.0))[10, 10].tolist() == [0, 0, 255]  # as OpenCV has them


def test_small_samples_are_enlarged(tmp_path):
    assert drawn(tmp_path, np.zeros((1, 1, 8, 8)), 1).shape == (36, 36)


@pytest.mark.parametrize("shape", [(2, 1, 9, 32, 32), (2, 1, 40)])
def test_volumes_and_lines_are_shown_too(tmp_path, shape):
    assert drawn(tmp_path, np.random.default_rng(0).random(shape), 2).ndim == 2


def test_a_place_that_cannot_be_written_to_is_told(tmp_path):
    with pytest.raises(RmldnnError, match="cannot write"):
        draw_grid(np.zeros((1, 1, 8, 8)), 1, tmp_path / "absent" / "grid.png")
