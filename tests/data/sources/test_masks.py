import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data import png
from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.data.sources.masks import decode_indices, masks
from rmldnn.errors import ConfigError, DataError


def classes(count=4, shape=(9, 13), dtype=np.uint8):
    return np.random.default_rng(0).integers(0, count, shape, dtype=dtype)


def packed(indices, depth, kind, tables=b""):
    """A PNG file that stores so many bits for each pixel."""
    import zlib

    per_byte = 8 // depth
    height, width = indices.shape
    row = np.zeros((height, -(-width // per_byte) * per_byte), np.uint8)
    row[:, :width] = indices
    bits = sum(row[:, place::per_byte] << (8 - depth * (place + 1)) for place in range(per_byte)).astype(np.uint8)
    raw = b"".join(b"\x00" + line.tobytes() for line in bits)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, kind, 0, 0, 0])
    chunks = [
        (b"IHDR", header),
        *([(b"PLTE", tables)] if tables else []),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    ]
    return png.SIGNATURE + b"".join(png.chunk(name, body) for name, body in chunks)


def opened(folder, **keys):
    return masks(Side("train", "target", str(folder)), **keys)


def taken(folder, **keys):
    return opened(folder, **keys).take(np.array([0]))[0]


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "pgm"])
def test_grey_values_are_classes(tmp_path, write, suffix):
    indices = classes()
    write(tmp_path / f"a.{suffix}", indices)
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_classes(tmp_path, write, suffix):
    indices = classes(60_000, dtype=np.uint16)
    write(tmp_path / f"a.{suffix}", indices)
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_numbers_of_a_palette_are_classes(tmp_path, depth):
    indices = classes(2**depth)
    palette = np.random.default_rng(1).bytes(3 * 2**depth)
    (tmp_path / "a.png").write_bytes(packed(indices, depth, 3, palette))
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grey_values_of_few_bits_are_classes(tmp_path, depth):
    indices = classes(2**depth)
    (tmp_path / "a.png").write_bytes(packed(indices, depth, 0))
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


def test_numbers_of_the_palette_of_a_tiff_file_are_classes(tmp_path):
    indices = classes(200)
    colours = np.random.default_rng(1).integers(0, 65535, (3, 256), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colours)
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, bool])
def test_pages_are_a_volume_of_classes(tmp_path, dtype):
    indices = classes(2, (3, 9, 13)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="minisblack")
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


def test_grey_in_three_channels_will_do(tmp_path, write):
    indices = classes()
    write(tmp_path / "a.png", np.repeat(indices[..., None], 3, axis=2))
    assert np.array_equal(taken(tmp_path)[..., 0], indices)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=256, unique=True), st.randoms())
@settings(max_examples=20, deadline=None)
def test_values_stand_for_their_places_in_the_list(tmp_path_factory, values, random):
    folder = tmp_path_factory.mktemp("masks")
    indices = np.array(random.choices(range(len(values)), k=24)).reshape(4, 6)
    assert cv2.imwrite(str(folder / "a.png"), np.array(values, np.uint8)[indices])
    assert np.array_equal(taken(folder, values=values)[..., 0], indices)


def test_more_classes_than_eight_bits_hold_have_sixteen(tmp_path, write):
    write(tmp_path / "a.png", np.full((2, 2), 3000, np.uint16))
    assert taken(tmp_path, values=list(range(2700, 3100)))[0, 0, 0] == 300


def test_a_value_that_is_not_listed_is_an_error(tmp_path, write):
    mask = np.zeros((4, 6), np.uint8)
    mask[1, 2:4] = 7
    write(tmp_path / "a.png", mask)
    with pytest.raises(
        DataError, match=r"a\.png: has pixels of the value 7, which `values` does not list: \[0, 255\]; .*2\)"
    ):
        taken(tmp_path, values=[0, 255])


def test_colours_are_an_error(tmp_path, write):
    write(tmp_path / "a.png", np.full((4, 6, 3), (1, 2, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: cannot use this mask: its pixels have colours; .* or of a palette"):
        taken(tmp_path)


def test_floats_are_an_error(tmp_path, write):
    write(tmp_path / "a.tif", np.full((4, 6), 0.5, np.float32))
    with pytest.raises(DataError, match=r"a\.tif: cannot use this mask: its values are of type float32"):
        taken(tmp_path)


@pytest.mark.parametrize("kept", [0, 20, 40, 60])
def test_a_damaged_mask_is_an_error(tmp_path, write, kept):
    path = write(tmp_path / "a.png", classes())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"a\.png: cannot read this image: the file is (empty|cut short)"):
        taken(tmp_path)


def test_too_large_a_mask_is_an_error(tmp_path, write):
    write(tmp_path / "a.png", classes())
    with pytest.raises(DataError, match=r"it has 13 x 9 pixels .* `max_pixels` allows 100"):
        taken(tmp_path, max_pixels=100)


def test_jpeg_files_are_passed_over(tmp_path, write):
    for suffix in ("jpg", "png"):
        write(tmp_path / f"a.{suffix}")
    assert opened(tmp_path).names == ["a.png"]


def test_nothing_but_jpeg_files_is_an_error(tmp_path, write):
    write(tmp_path / "a.jpg")
    with pytest.raises(
        DataError, match=r"data\.target_path: all masks in .* are JPEG files, .* save masks as PNG files"
    ):
        opened(tmp_path)


def test_a_jpeg_by_another_name_is_an_error(tmp_path, write):
    write(tmp_path / "a.jpg").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot use this mask: JPEG does not keep values exactly"):
        decode_indices(str(tmp_path / "a.png"))


def test_masks_stand_in_the_order_of_their_inputs(tmp_path, write):
    for name in ("a", "a1"):
        write(tmp_path / "in" / f"{name}.jpg")
        write(tmp_path / "out" / f"{name}_mask.png")
    inputs = images(Side("train", "input", str(tmp_path / "in")))
    assert masks(Side("train", "target", str(tmp_path / "out"), inputs)).names == ["a_mask.png", "a1_mask.png"]


def test_masks_are_no_inputs():
    with pytest.raises(ConfigError, match=r"data\.input_type: `masks` are targets"):
        masks(Side("train", "input", "somewhere"))


@pytest.mark.parametrize("values", [[], [1, 1], [0, 65536]])
def test_values_have_to_tell_classes_apart(values):
    with pytest.raises(ConfigError, match=r"data\.values: must be different values up to 65535"):
        opened("somewhere", values=values)


def test_without_a_path_there_are_no_masks():
    assert masks(Side("test", "target", None)) is None
