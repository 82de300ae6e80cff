import sys

import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources.nifti import nifti
from rmldnn.errors import ConfigError, DataError

nibabel = pytest.importorskip("nibabel")

FIRST = np.arange(1)


@pytest.fixture
def save(tmp_path):
    """Writes a volume."""

    def save(name, array, dtype=None):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        image = nibabel.Nifti1Image(array, np.eye(4), dtype=array.dtype)
        if dtype is not None:
            image.set_data_dtype(dtype)
        nibabel.save(image, path)
        return str(path)

    return save


def source(path, role="input", inputs=None, **keys):
    return nifti(Side("train", role, str(path), inputs), **keys)


VOLUME = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def test_the_log_tells_what_is_being_discovered(save, said):
    source(save("a.nii", VOLUME))
    assert said() == ["Discovering training input NIfTI samples..."]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_of_three_axes_has_one_channel(save, name):
    sample = source(save(name, VOLUME)).take(FIRST)[0]
    assert sample.dtype == np.int16
    np.testing.assert_array_equal(sample, VOLUME[..., None])


def test_the_fourth_axis_is_that_of_the_channels(save):
    assert source(save("a.nii", VOLUME.reshape(3, 2, 2, 5))).take(FIRST)[0].shape == (3, 2, 2, 5)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_windows_are_those_of_the_volume(save, name):
    stored = source(save(name, VOLUME)).stored(0)
    np.testing.assert_array_equal(stored[1:3, 0:2, 2:5], VOLUME[1:3, 0:2, 2:5])


def test_slope_and_intercept_are_applied(save):
    numbers = np.linspace(-1, 1, 60).reshape(3, 4, 5)
    sample = source(save("a.nii", numbers, np.int16)).take(FIRST)[0]
    assert sample.dtype == np.float32
    np.testing.assert_allclose(sample[..., 0], numbers, atol=1e-4)


def test_a_pair_of_header_and_numbers_is_one_volume(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VOLUME, np.eye(4), dtype=np.int16), tmp_path / "a.hdr")
    pairs = source(tmp_path)
    assert (pairs.names, pairs.take(FIRST)[0].sum()) == (["a.hdr"], VOLUME.sum())


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_masks_are_classes_even_as_floats(save, tmp_path, dtype):
    inputs = source(save("in/a.nii.gz", VOLUME.astype(np.float32)))
    save("out/a_seg.nii.gz", (VOLUME % 3).astype(dtype))
    targets = source(tmp_path / "out", "target", inputs)
    assert targets.meaning == "classes"
    assert targets.take(FIRST)[0].dtype.kind in "iu"
    np.testing.assert_array_equal(targets.stored(0)[0:1, 0:1, 0:5], VOLUME[0:1, 0:1, 0:5] % 3)


def test_targets_of_fractions_are_values(save):
    inputs = source(save("a.nii", VOLUME))
    assert source(save("b.nii", VOLUME / 7), "target", inputs).meaning == "values"


def test_a_mask_of_fractions_among_masks_is_told(save, tmp_path):
    for name in "ab":
        save(f"in/{name}.nii", VOLUME)
        save(f"out/{name}.nii", VOLUME / (2 if name == "b" else 1))
    targets = source(tmp_path / "out", "target", source(tmp_path / "in"))
    with pytest.raises(DataError, match=r"b\.nii: holds numbers that are not whole"):
        targets.take(np.arange(2))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a.nii", lambda data: b""),
        ("a.nii", lambda data: data[:-8]),
        ("a.nii", lambda data: b"hello" * 100),
        ("a.nii.gz", lambda data: b""),
        ("a.nii.gz", lambda data: data[: len(data) // 2]),
        ("a.nii.gz", lambda data: b"hello" * 100),
        ("a.nii.gz", lambda data: data[:-40] + bytes(40)),
    ],
)
def test_a_damaged_file_is_told(tmp_path, save, name, change):
    path = tmp_path / name
    save(name, VOLUME)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{name}: cannot read this (volume|array): .*; repair or remove it"):
        source(path).take(FIRST)


def test_a_header_without_its_numbers_is_told(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VOLUME, np.eye(4), dtype=np.int16), tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(DataError, match=r"a\.hdr: cannot read this volume: .* none of its pair"):
        source(tmp_path).take(FIRST)


def test_other_compressed_files_are_no_volumes(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"data\.input_path: no NIfTI volumes in .*; their names end in \.nii, "):
        source(tmp_path)


def test_what_to_install_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)  # as if it were not installed
    with pytest.raises(
        ConfigError, match=r"needs the package `nibabel`; install it by: pip install 'rmldnn\[medical\]'"
    ):
        source(tmp_path)
