"""What tells whether samples are those that were read before."""

import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from rmldnn.data.dataset import data
from rmldnn.data.slicer import slicer
from rmldnn.data.slices import Sliced
from rmldnn.data.source import Side
from rmldnn.data.sources.hdf5 import hdf5
from rmldnn.data.sources.images import images
from rmldnn.data.sources.masks import masks
from rmldnn.data.sources.mnist import mnist
from rmldnn.data.sources.nifti import nifti
from rmldnn.data.sources.numpy import numpy
from rmldnn.data.sources.webdataset import webdataset
from rmldnn.data.sources.zarr import zarr

VALUES = np.arange(2 * 6 * 8, dtype=np.float32).reshape(2, 6, 8)


def pictures(folder, write):
    for index in range(3):
        write(folder / f"{index}.png", index)
    return "1.png"


def npy(folder, write):
    np.save(folder / "a.npy", VALUES)
    np.save(folder / "b.npy", VALUES)
    return "b.npy"


def npz(folder, write):
    np.savez(folder / "a.npz", x=VALUES, y=VALUES)
    return "a.npz"


def h5(folder, write):
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = file["y"] = VALUES
    return "a.h5"


def store(folder, write):
    made = pytest.importorskip("zarr").create_array(
        str(folder / "a.zarr"), shape=VALUES.shape, chunks=(2, 3, 4), dtype=np.float32
    )
    made[...] = VALUES
    return next(str(path.relative_to(folder)) for path in folder.rglob("c/0/1/1"))


def pair(folder, write):
    pytest.importorskip("nibabel").save(_image(VALUES), folder / "a.img")
    return "a.img"


def packed(folder, write):
    pytest.importorskip("nibabel").save(_image(VALUES), folder / "a.nii.gz")
    return "a.nii.gz"


def _image(values):
    return pytest.importorskip("nibabel").Nifti1Pair(values, np.eye(4))


def tar(folder, write):
    write(folder / "0.png", 7)
    with tarfile.open(folder / "s.tar", "w") as archive:
        archive.add(folder / "0.png", "0.png")
    return "s.tar"


def idx(folder, write):
    (folder / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, *[0, 0, 0, 2] * 3, *range(8)]))
    return "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("make", "component"),
    [
        (pictures, images),
        (pictures, masks),
        (npy, numpy),
        (npz, numpy),
        (h5, hdf5),
        (store, zarr),
        (pair, nifti),
        (packed, nifti),
        (tar, webdataset),
        (idx, mnist),
    ],
)
def test_a_file_that_changed_is_another_one_and_nothing_else_is(tmp_path, write, make, component):
    changed = tmp_path / make(tmp_path, write)
    role = "target" if component is masks else "input"

    def found():
        return component(Side("train", role, str(tmp_path))).fingerprint()

    before = found()
    assert found() == before
    content = changed.read_bytes()
    changed.write_bytes(content)  # at another time
    assert found() != before


@pytest.mark.parametrize(
    ("make", "component", "keys"),
    [
        (pictures, images, {"grayscale": True}),
        (pictures, images, {"color_order": "rgb"}),
        (npy, numpy, {"channel_axis": "last"}),
        (npy, numpy, {"samples": "rows"}),
        (h5, hdf5, {"dataset": "x"}),
        (tar, webdataset, {"grayscale": True}),
    ],
)
def test_other_keys_mean_other_samples(tmp_path, write, make, component, keys):
    make(tmp_path, write)
    side = Side("train", "input", str(tmp_path))
    assert component(side).fingerprint() != component(side, **keys).fingerprint()


def test_slices_depend_on_their_arrays_and_on_how_they_are_cut(tmp_path, write):
    npy(tmp_path, write)

    def found(size):
        return Sliced(numpy(Side("train", "input", str(tmp_path))), [slicer(sizes=[size, 4])]).fingerprint()

    before = found(3)
    assert found(3) == before != found(2)
    np.save(tmp_path / "b.npy", VALUES + 1)
    assert found(3) != before


def test_the_cache_sees_that_the_second_file_of_a_pair_changed(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    pair(tmp_path, write)

    def mean():
        opened = data(nifti, None, test_input_path="a.hdr", cache=True, num_workers=0)
        return float(next(iter(opened.loader("test").epoch(1))).inputs.mean())

    before = mean()
    numbers = np.memmap("a.img", np.float32, "r+")
    numbers += 1
    numbers.flush()
    assert mean() == before + 1
    assert len(list(Path(".rmldnn_cache").glob("test-input-*.data"))) == 2
