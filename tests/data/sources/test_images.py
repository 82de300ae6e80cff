import numpy as np
import pytest
import tifffile

from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.errors import ConfigError, DataError


def test_names_are_paths_below_the_folder(digits):
    assert images(Side("test", "input", str(digits / "testing"))).names == ["0/0.png", "0/2.png", "1/1.png", "1/3.png"]


def test_a_place_is_the_path_as_configured(digits, monkeypatch):
    monkeypatch.chdir(digits)
    assert images(Side("test", "input", "./testing/")).locate(0) == "./testing/0/0.png"


def test_without_a_path_there_is_no_source():
    assert images(Side("test", "target", None)) is None


@pytest.mark.parametrize(
    ("which", "role", "line"),
    [
        ("train", "input", "Discovering training input images..."),
        ("train", "target", "Discovering training target images..."),
        ("test", "input", "Discovering test input images..."),
    ],
)
def test_the_log_tells_what_is_being_discovered(digits, said, which, role, line):
    images(Side(which, role, str(digits / "training")))
    assert said() == [line]


def test_targets_stand_in_the_order_of_their_inputs(tmp_path, write):
    for name in ("a", "a1"):
        write(tmp_path / "in" / f"{name}.png")
        write(tmp_path / "out" / f"{name}_mask.png")
    inputs = images(Side("train", "input", str(tmp_path / "in")))
    targets = images(Side("train", "target", str(tmp_path / "out"), inputs))
    assert (inputs.names, targets.names) == (["a.png", "a1.png"], ["a_mask.png", "a1_mask.png"])


def test_a_target_without_partner_is_an_error(tmp_path, write):
    write(tmp_path / "in" / "a.png")
    for name in ("a", "b"):
        write(tmp_path / "out" / f"{name}.png")
    inputs = images(Side("test", "input", str(tmp_path / "in")))
    with pytest.raises(DataError, match=r"data\.test_target_path: .*targets without input: `b\.png`"):
        images(Side("test", "target", str(tmp_path / "out"), inputs))


def test_encoded_bytes_are_those_of_the_files(digits):
    source = images(Side("train", "input", str(digits / "training")))
    sizes = [path.stat().st_size for path in (digits / "training").rglob("*.png")]
    assert source.encoded_bytes(10**9) == sum(sizes)


def test_bands_may_be_chosen(tmp_path):
    stored = np.random.default_rng(0).integers(0, 255, (4, 6, 5), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig="contig")
    source = images(Side("train", "input", str(tmp_path)), bands=[5, 1])
    assert np.array_equal(source.take(np.array([0]))[0], stored[..., [4, 0]])


@pytest.mark.parametrize(
    ("keys", "fault"), [({"bands": []}, "must name a band"), ({"bands": "all", "grayscale": True}, "exclude")]
)
def test_bands_exclude_grey(keys, fault):
    with pytest.raises(ConfigError, match=rf"data\.bands: .*{fault}"):
        images(Side("train", "input", "somewhere"), **keys)


def test_the_limit_of_pixels_may_be_moved(tmp_path, write):
    write(tmp_path / "a.png")
    with pytest.raises(DataError, match="`max_pixels` allows 23 in all"):
        images(Side("train", "input", str(tmp_path)), max_pixels=23).take(np.array([0]))


def test_floats_and_integers_in_one_batch_are_an_error(tmp_path, write):
    write(tmp_path / "a.png")
    write(tmp_path / "b.tif", np.ones((4, 6, 3), np.float32))
    with pytest.raises(DataError, match=r"b\.tif: has floating-point numbers, .* but .*a\.png has integers"):
        images(Side("train", "input", str(tmp_path))).take(np.array([0, 1]))
