import logging

import h5py
import numpy as np
import pytest

from rmldnn.data.dataset import data
from rmldnn.data.slicer import slicer
from rmldnn.data.slices import Sliced, sliced
from rmldnn.data.source import Side
from rmldnn.data.sources.hdf5 import hdf5
from rmldnn.data.sources.images import images
from rmldnn.data.sources.labels import labels
from rmldnn.data.sources.numpy import numpy
from rmldnn.errors import ConfigError, DataError


def array(folder, *shape, dtype=np.float32):
    """Numbers in order, in one file."""
    folder.mkdir(exist_ok=True)
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(folder / f"{len(list(folder.iterdir()))}.npy", values)
    return values


def opened(folder, **keys):
    return numpy(Side("test", "input", str(folder)), **keys)


def test_a_slice_is_its_window_with_channels_last(tmp_path):
    values = array(tmp_path / "in", 6, 8)
    slices = Sliced(opened(tmp_path / "in"), [slicer(sizes=[3, 4])])
    assert np.array_equal(slices.take(np.array([3]))[0, ..., 0], values[3:6, 4:8])


def test_channels_come_along_where_the_array_has_one_axis_more(tmp_path):
    values = array(tmp_path / "in", 2, 6, 8)
    slices = Sliced(opened(tmp_path / "in"), [slicer(sizes=[3, 4])])
    assert np.array_equal(slices.take(np.array([3]))[0], np.moveaxis(values[:, 3:6, 4:8], 0, -1))


def test_what_reaches_beyond_the_array_is_zero(tmp_path):
    values = array(tmp_path / "in", 5)
    slices = Sliced(opened(tmp_path / "in", channel_axis="none"), [slicer(sizes=[3])])
    assert slices.take(np.array([1]))[0, :, 0].tolist() == [*values[3:].tolist(), 0]


def test_padding_is_zeros_and_not_the_neighbours(tmp_path):
    array(tmp_path / "in", 6)
    slices = Sliced(opened(tmp_path / "in", channel_axis="none"), [slicer(sizes=[2], padding=[1])])
    assert slices.take(np.array([1]))[0, :, 0].tolist() == [0, 2, 3, 0]


def test_flat_slices_of_a_volume_are_pictures(tmp_path):
    values = array(tmp_path / "in", 3, 4, 5)
    slices = Sliced(opened(tmp_path / "in"), [slicer(sizes=[3, 1, 5])])
    assert np.array_equal(slices.take(np.array([2]))[0, ..., 0], values[:, 2])


def test_transposed_slices_have_their_axes_swapped(tmp_path):
    values = array(tmp_path / "in", 2, 3, 4, 5)
    slices = Sliced(opened(tmp_path / "in"), [slicer(sizes=[1, 4, 5], transpose=True)])
    assert np.array_equal(slices.take(np.array([1]))[0], np.moveaxis(values[:, 1], 0, -1).swapaxes(0, 1))


def test_names_are_extents(tmp_path):
    array(tmp_path / "in", 6, 8)
    slices = Sliced(opened(tmp_path / "in"), [slicer(sizes=[3, 4])])
    assert slices.names[:2] == ["0:3,0:4", "0:3,4:8"]
    assert slices.names[-1] == "3:6,4:8"


def test_names_say_the_set_and_the_array_where_there_are_several(tmp_path):
    array(tmp_path / "in", 6, 8)
    array(tmp_path / "in", 3, 8)
    slices = Sliced(opened(tmp_path / "in"), [slicer(name="a", sizes=[3, 8]), slicer(name="b", sizes=[2, 8])])
    assert list(slices.names)[:4] == ["a/0.npy/0:3,0:8", "a/0.npy/3:6,0:8", "a/1.npy/0:3,0:8", "b/0.npy/0:2,0:8"]


def test_the_sets_of_the_smoke_test_make_17_batches(tmp_path):
    array(tmp_path / "in", 64, 64, 64)
    slicers = [slicer(sizes=[1, 32, 32]), slicer(sizes=[64, 64, 1])]
    loader = data(numpy, None, (), (), (), slicers, test_input_path=str(tmp_path / "in"), test_batch_size=20).loader(
        "test"
    )
    shapes = [tuple(batch.inputs.shape[2:]) for batch in loader.epoch(1)]
    assert shapes == [(32, 32)] * 13 + [(64, 64)] * 4


def test_integer_targets_are_classes(tmp_path):
    values = array(tmp_path / "in", 4, 6)
    array(tmp_path / "out", 4, 6, dtype=np.uint8)
    loader = data(
        numpy,
        numpy,
        (),
        (),
        (),
        [slicer(sizes=[2, 6])],
        test_input_path=str(tmp_path / "in"),
        test_target_path=str(tmp_path / "out"),
    ).loader("test")
    (batch,) = loader.epoch(1)
    assert batch.inputs.shape == (2, 1, 2, 6)
    assert np.array_equal(batch.targets.numpy().reshape(4, 6), values.astype(np.int64))


def test_only_the_window_is_read_from_a_file_larger_than_a_slice(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("input", (1 << 20, 1 << 20), np.float32, chunks=(64, 64))  # 4 TiB, of which none is stored
    source = hdf5(Side("test", "input", str(tmp_path / "a.h5")))
    slices = Sliced(source, [slicer(sizes=[64, 64])])
    assert slices.take(np.array([len(slices) - 1])).shape == (1, 64, 64, 1)


def test_the_log_has_the_block_of_the_original(tmp_path, caplog):
    array(tmp_path / "in", 70, 65, 40)
    with caplog.at_level(logging.INFO, "rmldnn"):
        keys = {"sizes": [64, 64, 16], "strides": [64, 64, 8], "discard_remainders": True}
        sliced(opened(tmp_path / "in"), None, [slicer(name="samples", **keys)])
    assert [record.getMessage() for record in caplog.records][-9:] == [
        "Full size: [70, 65, 40]",
        "   Slicer: samples",
        "      Sizes       : [64, 64, 16]",
        "      Padding     : [(0,0)(0,0)(0,0)]",
        "      Padded sizes: [64, 64, 16]",
        "      Strides     : [64, 64, 8]",
        "      Remainders  : discarded",
        "      Transpose   : false",
        "      Num samples : 4",
    ]


def test_targets_of_another_extent_are_named(tmp_path):
    array(tmp_path / "in", 6, 8)
    array(tmp_path / "out", 6, 7)
    targets = numpy(Side("test", "target", str(tmp_path / "out"), opened(tmp_path / "in")), channel_axis="none")
    with pytest.raises(DataError, match=r"out/0\.npy: has the extent \[6, 7\], but its input .*in/0\.npy has \[6, 8\]"):
        sliced(opened(tmp_path / "in"), targets, [slicer(sizes=[2, 2])])


def test_an_array_smaller_than_a_slice_is_named_where_remainders_are_left_out(tmp_path):
    array(tmp_path / "in", 6, 8)
    with pytest.raises(DataError, match=r"no slice of sizes \[9, 9\] \(`slice_set_1`\) fits into the extent \[6, 8\]"):
        Sliced(opened(tmp_path / "in"), [slicer(sizes=[9, 9], discard_remainders=True)])


def test_pictures_cannot_be_cut(digits):
    with pytest.raises(ConfigError, match=r"data\.slicers: cut arrays \(numpy, hdf5, zarr, nifti\), not images"):
        data(images, None, (), (), (), [slicer(sizes=[2, 2])], test_input_path=str(digits / "testing"))


def test_labels_cannot_be_cut(tmp_path):
    (tmp_path / "in").mkdir()
    array(tmp_path / "in" / "a", 6, 8)
    inputs = opened(tmp_path / "in")
    with pytest.raises(ConfigError, match="but labels cannot be cut"):
        sliced(inputs, labels(Side("test", "target", None, inputs)), [slicer(sizes=[2, 2])])


def test_two_sets_of_one_name_are_refused(tmp_path):
    array(tmp_path / "in", 6, 8)
    with pytest.raises(ConfigError, match="have names of their own each"):
        Sliced(opened(tmp_path / "in"), [slicer(name="a", sizes=[2, 2]), slicer(name="a", sizes=[3, 3])])


def test_of_many_arrays_the_log_shows_the_first_and_tells_the_number_of_all(tmp_path, said):
    for _ in range(7):
        array(tmp_path / "in", 6, 8)
    sliced(opened(tmp_path / "in"), None, [slicer(sizes=[3, 4]), slicer(sizes=[6, 8])])
    lines = said()
    assert [line for line in lines if "Full size" in line] == ["Full size: [6, 8]"] * 4
    assert lines[-1] == "... and 3 more arrays; 35 samples in all"
    assert [line.split()[-1] for line in lines if "Num samples" in line] == ["4", "1"] * 4


@pytest.mark.parametrize("kind", ["npy", "hdf5"])
def test_overlapping_slices_are_preloaded_as_the_arrays_they_are_cut_from(tmp_path, said, kind):
    values = array(tmp_path / "in", 2, 12, 12, dtype=np.float64)
    if kind == "hdf5":
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["x"] = values
    path = str(tmp_path / ("a.h5" if kind == "hdf5" else "in"))
    source = hdf5 if kind == "hdf5" else numpy
    cut = [slicer(sizes=[4, 4], strides=[1, 1])]
    kept, read = (
        data(source, None, (), (), (), cut, test_input_path=path, preload=preload, num_workers=0).test
        for preload in (True, False)
    )
    assert [(held.shape, held.dtype) for held in kept.slices.arrays.held] == [((2, 12, 12), np.float32)]
    everything = np.arange(len(kept))
    assert np.array_equal(kept.inputs.source.take(everything), read.inputs.source.take(everything))
    assert kept.inputs.source.locate(3) == read.inputs.source.locate(3)
    assert kept.inputs.source.fingerprint() == read.inputs.source.fingerprint()
    assert "Pre-loading test input arrays..." in said()


def test_slices_are_not_cached_as_their_arrays_are_in_files(tmp_path, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array(tmp_path / "in", 6, 8)
    cut = [slicer(sizes=[3, 4])]
    data(numpy, None, (), (), (), cut, test_input_path="in", cache=True)
    assert not (tmp_path / ".rmldnn_cache").exists()
    assert "Nothing to cache: slices are read from arrays, which are in files already" in said()


@pytest.mark.parametrize("preload", [False, True])
def test_slices_of_an_array_that_cannot_be_read_are_left_out(tmp_path, preload):
    for _ in range(2):
        array(tmp_path / "in", 64, 64)
    np.savez_compressed(tmp_path / "in/2.npz", x=np.random.default_rng(0).random((64, 64)))
    content = bytearray((tmp_path / "in/2.npz").read_bytes())
    content[len(content) * 2 // 3] ^= 255
    (tmp_path / "in/2.npz").write_bytes(content)
    opened = data(
        numpy,
        None,
        (),
        (),
        (),
        [slicer(sizes=[64, 64])],
        test_input_path=str(tmp_path / "in"),
        preload=preload,
        num_workers=0,
        on_bad_sample="skip",
    )
    loader = opened.loader("test")
    (batch,) = loader.epoch(1)
    assert (len(batch.names), list(loader.skipped)) == (2, ["2.npz/x/0:64,0:64"])
