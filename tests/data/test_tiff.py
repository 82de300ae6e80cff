import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rmldnn.data import tiff
from rmldnn.data.decode import decode
from rmldnn.errors import ConfigError, DataError


def numbers(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.fixture
def write(tmp_path):
    """Writes a TIFF file."""

    def write(array, **keys):
        path = str(tmp_path / "a.tif")
        tifffile.imwrite(path, array, **{"photometric": "minisblack", **keys})
        return path

    return write


def read(path, grayscale=True, **keys):
    return decode(path, grayscale=grayscale, rgb=False, **keys)


BANDS = {"planarconfig": "contig"}
PLANES = {"planarconfig": "separate"}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "keys", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (16, 16)}]
)
def test_a_file_of_several_pages_is_a_volume(write, dtype, keys):
    pages = numbers(3, 4, 6, dtype=dtype)
    assert np.array_equal(read(write(pages, **keys))[..., 0], pages)


def test_pages_of_floats_are_a_volume(write):
    pages = np.random.default_rng(0).random((3, 4, 6), dtype=np.float32)
    assert np.array_equal(read(write(pages))[..., 0], pages)


def test_a_volume_has_three_channels_by_default(write):
    assert read(write(numbers(3, 4, 6)), grayscale=False).shape == (3, 4, 6, 3)


def test_previews_are_no_pages(tmp_path):
    picture = numbers(8, 8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture)
        file.write(picture[::2, ::2], subfiletype=1)
    assert np.array_equal(read(str(tmp_path / "a.tif")), picture[..., None])


def test_pages_of_other_sizes_are_an_error(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(numbers(8, 8))
        file.write(numbers(4, 4))
    with pytest.raises(DataError, match=r"its pages differ: page 1 has 8 x 8 pixels .*, page 2 has 4 x 4 pixels"):
        read(str(tmp_path / "a.tif"))


def test_pixels_of_all_pages_count(write):
    path = write(numbers(3, 4, 6))
    with pytest.raises(
        DataError, match=r"it has 3 pages of 6 x 4 pixels \(width x height\), and `max_pixels` allows 71"
    ):
        read(path, max_pixels=71)


@pytest.mark.parametrize(("keys", "axis"), [(BANDS, -1), (PLANES, 0), ({**BANDS, "compression": "zlib"}, -1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_bands_of_a_file(write, keys, axis, dtype):
    stored = numbers(4, 6, 5, dtype=dtype)
    path = write(np.moveaxis(stored, -1, axis), **keys)
    assert np.array_equal(read(path, bands="all"), stored)


def test_some_bands_of_a_file(write):
    stored = numbers(4, 6, 7)
    assert np.array_equal(read(write(stored, **BANDS), bands=[7, 2]), stored[..., [6, 1]])


def test_pages_of_one_band_each_are_bands_where_bands_are_wanted(write):
    pages = numbers(5, 4, 6)
    assert np.array_equal(read(write(pages), bands="all"), np.moveaxis(pages, 0, -1))


@pytest.mark.parametrize("count", [3, 4, 5])
def test_bands_that_are_no_colours_have_to_be_chosen(write, count):
    path = write(numbers(4, 6, count), **BANDS)
    with pytest.raises(DataError, match=rf'it has {count} bands that are no colours; say which .* "bands": "all"'):
        read(path)


def test_transparency_is_dropped(write):
    stored = numbers(4, 6, 4, dtype=np.uint16)
    assert np.array_equal(read(write(stored, photometric="rgb"), grayscale=False), stored[..., 2::-1])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float16])
def test_other_numbers_become_floats(write, dtype):
    stored = np.arange(-12, 12, dtype=dtype).reshape(4, 6)
    decoded = read(write(stored))
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded[..., 0], stored)


def test_a_compression_that_needs_more_is_told(write):
    if find_spec("imagecodecs"):
        pytest.skip("nothing is missing here")
    path = write(numbers(4, 6, 5), **BANDS)
    data = bytearray(Path(path).read_bytes())
    at = data.index((259).to_bytes(2, "little") + b"\x03\x00")
    data[at + 8] = 5  # LZW
    Path(path).write_bytes(data)
    with pytest.raises(DataError, match=r"its compression `LZW` needs the package `imagecodecs`; install it by: pip"):
        read(path, bands="all")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_bands_cut_short_are_an_error(write, kept):
    path = write(numbers(40, 60, 5), **BANDS)
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=r"a\.tif: cannot read this image: the file is damaged"):
        read(path, bands="all")


def test_a_missing_package_is_named(write, monkeypatch):
    path = write(numbers(4, 6, 5), **BANDS)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ConfigError, match=r"needs the package `tifffile`; install it by: pip install 'rmldnn\[tiff\]'"):
        read(path, bands="all")


def test_ordinary_stacks_need_no_package(write, monkeypatch):
    path = write(numbers(3, 4, 6))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert read(path).shape == (3, 4, 6, 1)


def test_a_circle_of_pages_is_damage():
    page = (0).to_bytes(2, "little") + (8).to_bytes(4, "little")
    assert tiff.pages(b"II*\x00" + (8).to_bytes(4, "little") + page) == []
