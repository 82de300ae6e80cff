import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data.decode import decode, is_whole
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
    assert not is_whole(data[:2] + thumbnail + data[2:-2])


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: the file is empty"):
        read(tmp_path / "a.png")


def test_a_file_that_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match="no picture, but a text that begins with `no image`"):
        read(tmp_path / "a.png")


def test_a_file_that_vanished_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: it is gone, or a link that leads nowhere"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_stay_as_they_are(tmp_path, write, dtype, channels):
    pixels = np.linspace(-5, 300, 24 * channels, dtype=dtype).reshape(4, 6, channels)
    decoded = read(write(tmp_path / "a.tif", pixels))
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded, np.broadcast_to(pixels.astype(np.float32), (4, 6, 3)))


def test_floats_of_colours_become_grey(tmp_path, write):
    pixels = np.full((4, 6, 3), (1000, 0, 0), np.float32)  # blue
    assert np.allclose(read(write(tmp_path / "a.tif", pixels), grayscale=True), 114)


def test_floats_that_are_no_numbers_are_an_error(tmp_path, write):
    pixels = np.ones((4, 6), np.float32)
    pixels[1, 2] = np.nan
    with pytest.raises(
        DataError, match=r"a\.tif: cannot use this image: 1 of its 24 values are infinite or not numbers"
    ):
        read(write(tmp_path / "a.tif", pixels), grayscale=True)


@pytest.mark.parametrize("grayscale", [True, False])
@pytest.mark.parametrize("stored", [1, 3])
def test_jpeg_files_give_what_opencv_gives(tmp_path, write, grayscale, stored):
    path = write(tmp_path / "a.jpg", cv2.GaussianBlur(noise((37, 53, stored)), (0, 0), 2))
    flag = cv2.IMREAD_GRAYSCALE if grayscale else cv2.IMREAD_COLOR
    expected = cv2.imread(str(path), flag).reshape(37, 53, -1)
    assert np.abs(read(path, grayscale).astype(int) - expected).max() <= 1


def turned(data, orientation):
    """A JPEG file with the orientation of EXIF."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\x00\x00II*\x00" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_set_upright_as_opencv_does(tmp_path, write, orientation):
    path = write(tmp_path / "a.jpg", cv2.GaussianBlur(noise((37, 53, 3)), (0, 0), 2))
    path.write_bytes(turned(path.read_bytes(), orientation))
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert expected.shape[:2] == ((37, 53) if orientation < 5 else (53, 37))
    assert np.abs(read(path).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "ppm"])
def test_too_large_a_picture_is_an_error(tmp_path, write, suffix):
    path = write(tmp_path / f"a.{suffix}", noise((40, 60, 3)))
    assert decode(str(path), grayscale=False, rgb=False, max_pixels=2400).shape == (40, 60, 3)
    with pytest.raises(
        DataError, match=r"has 60 x 40 pixels \(width x height\), and `max_pixels` allows 2399 in all; cut"
    ):
        decode(str(path), grayscale=False, rgb=False, max_pixels=2399)


def test_a_picture_of_a_hundred_million_pixels_is_not_decoded(tmp_path):
    """The file ends behind its header: an attempt to decode it would give another error."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + bytes(4))
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: it has 10000 x 10000 pixels .* 67108864"):
        read(tmp_path / "a.png")


def test_all_bands_of_a_picture_come_in_the_order_of_its_file(tmp_path, write):
    path = write(tmp_path / "a.png", np.full((4, 6, 4), (1, 2, 3, 4), np.uint8))
    decoded = decode(str(path), grayscale=False, rgb=False, bands="all")
    assert decoded[0, 0].tolist() == [3, 2, 1, 4]


def test_bands_come_in_the_order_wanted(tmp_path, write):
    path = write(tmp_path / "a.png", np.full((4, 6, 4), (1, 2, 3, 4), np.uint8))
    assert decode(str(path), grayscale=False, rgb=False, bands=[4, 1])[0, 0].tolist() == [4, 3]


def test_a_band_that_is_not_there_is_an_error(tmp_path, write):
    path = write(tmp_path / "a.png", BLUE)
    with pytest.raises(DataError, match=r"a\.png: .*it has no band 4, as `bands` wants; its bands are 1 to 3"):
        decode(str(path), grayscale=False, rgb=False, bands=[1, 4])


def test_damage_within_a_jpeg_is_an_error(tmp_path, write):
    path = write(tmp_path / "a.jpg", noise())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[-2:])
    with pytest.raises(DataError, match=r"a\.jpg: cannot read this image: the file is damaged"):
        read(path)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00+", b"BM", b"RIFF"]),
)
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_a_picture_or_an_error(tmp_path_factory, data, start):
    path = tmp_path_factory.mktemp("any") / "a.png"
    path.write_bytes(start + data)
    try:
        read(path)
    except DataError as error:
        assert "a.png: cannot" in str(error)
