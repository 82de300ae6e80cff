import cv2
import numpy as np
import pytest

from rmldnn.data.decode import _is_whole, decode
from rmldnn.errors import DataError

BLUE = np.full((4, 6, 3), (255, 0, 0), np.uint8)
"""In the order of OpenCV."""


def read(path, grayscale=False, rgb=False):
    return decode(str(path), grayscale=grayscale, rgb=rgb)


def noise(shape=(64, 64, 3), dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def test_colours_come_blue_first(tmp_path, write):
    assert np.array_equal(read(write(tmp_path / "a.png", BLUE)), BLUE)


def test_colours_come_red_first_if_wanted(tmp_path, write):
    assert np.array_equal(read(write(tmp_path / "a.png", BLUE), rgb=True), BLUE[..., ::-1])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("grayscale", [True, False])
def test_the_number_of_channels_does_not_depend_on_the_file(tmp_path, write, channels, grayscale):
    assert read(write(tmp_path / "a.png", noise((4, 6, channels))), grayscale).shape == (4, 6, 1 if grayscale else 3)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, write, suffix):
    pixels = noise((4, 6), np.uint16)
    assert np.array_equal(read(write(tmp_path / f"a.{suffix}", pixels), grayscale=True)[..., 0], pixels)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "ppm"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.9])
def test_a_file_cut_short_is_an_error(tmp_path, write, suffix, kept):
    path = write(tmp_path / f"a.{suffix}", noise())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=rf"a\.{suffix}: cannot read this image: the file is "):
        read(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_progressive_jpeg_cut_short_is_an_error(tmp_path, write, kept):
    path = write(tmp_path / "a.jpg", noise(), options=[cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match="the file is cut short"):
        read(path)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path, write):
    path = write(tmp_path / "a.jpg", noise())
    path.write_bytes(path.read_bytes() + b"appended film")
    assert read(path).shape == (64, 64, 3)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path, write):
    data = write(tmp_path / "a.jpg", noise()).read_bytes()
    thumbnail = b"\xff\xe1\x00\x06\xff\xd9\x00\x00"
    assert not _is_whole(data[:2] + thumbnail + data[2:-2])


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: the file is empty"):
        read(tmp_path / "a.png")


def test_a_file_that_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match="damaged, or of a format"):
        read(tmp_path / "a.png")


def test_a_file_that_vanished_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: No such file"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("grayscale", [True, False])
def test_pixels_of_floats_are_refused(tmp_path, write, channels, grayscale):
    path = write(tmp_path / "a.tif", np.ones((4, 6, channels), np.float32))
    with pytest.raises(DataError, match="its pixels are of type float32; convert"):
        read(path, grayscale)
