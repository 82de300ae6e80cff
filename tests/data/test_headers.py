import cv2
import numpy as np
import pytest

from rmldnn.data import headers


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "ppm", "gif", "avif", "jp2", "ras"])
def test_the_size_of_every_format_is_read(suffix):
    try:
        good, data = cv2.imencode(f".{suffix}", np.zeros((40, 60, 3), np.uint8))
    except cv2.error:
        pytest.skip(f"this OpenCV writes no {suffix}")
    assert good
    assert headers.extent(data.tobytes()) == (40, 60, 1)


def test_the_size_of_a_lossless_webp_is_read():
    data = cv2.imencode(".webp", np.zeros((40, 60, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
    assert headers.extent(data.tobytes()) == (40, 60, 1)


@pytest.mark.parametrize("text", [b"P5\n# by hand\n60 40\n255\n", b"P4 60 40\n", b"P6\n60\n#\n40\n255\n"])
def test_comments_in_a_text_header_are_passed_over(text):
    assert headers.extent(text) == (40, 60, 1)


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"RIFF", b"II*\x00", b"\xff\xd8\xff", b"x" * 99]
)
def test_a_damaged_header_has_no_size(data):
    assert headers.extent(data) is None


def test_grey_and_colours_are_told_apart():
    grey, colours = (cv2.imencode(".jpg", np.zeros(shape, np.uint8))[1] for shape in ((4, 6), (4, 6, 3)))
    assert (headers.jpeg(grey.tobytes()).components, headers.jpeg(colours.tobytes()).components) == (1, 3)
