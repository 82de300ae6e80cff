"""HDF5 files from strangers."""

import contextlib
from random import Random

import h5py
import numpy as np
import pytest

from rmldnn.errors import CheckpointError
from rmldnn.networks.weights import load


def replaced(path, name, put):
    with h5py.File(path, "a") as file:
        del file[name]
        put(file)


KERNEL = "head/head/kernel:0"


def soft(file):
    file[KERNEL] = h5py.SoftLink("/conv/conv/kernel:0")


def external_link(file):
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


def external_numbers(file):
    file.create_dataset(KERNEL, (4, 4), "f4", external=[("/etc/passwd", 0, 64)])


def virtual(file):
    layout = h5py.VirtualLayout((4, 4), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4, 4))
    file.create_virtual_dataset(KERNEL, layout)


def texts(file):
    file[KERNEL] = [["a"] * 4] * 4


def vast(file):
    file.create_dataset(KERNEL, (1 << 30, 1 << 30), "f4", chunks=(16, 16))


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (soft, "holds a link to elsewhere"),
        (external_link, "holds a link to elsewhere"),
        (external_numbers, "has the numbers of `/head/head/kernel:0` in other files"),
        (virtual, "has the numbers of `/head/head/kernel:0` in other files"),
        (texts, "has no real numbers"),
        (vast, r"\[1073741824, 1073741824\] in the checkpoint"),
    ],
)
def test_what_is_not_plainly_in_the_file_is_refused(make, legacy, put, message):
    path = legacy(make())
    replaced(path, KERNEL, put)
    with pytest.raises(CheckpointError, match=message):
        load(path, make())


def test_a_list_of_names_has_a_limit(make, legacy):
    path = legacy(make())
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["layer_names"] = np.zeros(20_000_000, dtype="S4")
    with pytest.raises(CheckpointError, match="too large to be a list of names"):
        load(path, make())


def test_groups_in_a_circle_end(make, numbered, equal):
    original, other = make(), make()
    path = numbered(original, names=True)
    with h5py.File(path, "a") as file:
        file["layers/dense/again"] = file["layers"]
        file["layers/sequential/layers/loop"] = file["layers/sequential"]
    load(path, other)
    assert equal(original, other)


@pytest.mark.parametrize("kind", [">f4", "<f8", "<f2", "<i4"])
def test_numbers_of_other_types_are_turned(make, legacy, kind):
    path = legacy(make())
    values = np.arange(16).reshape(4, 4)
    replaced(path, KERNEL, lambda file: file.create_dataset(KERNEL, data=values.astype(kind)))
    other = make()
    load(path, other)
    assert other.head.weight.T.tolist() == values.tolist()


def test_bfloat16_as_keras_writes_it(make, legacy):
    path = legacy(make())
    bits = (np.arange(16, dtype="<f4").reshape(4, 4).view("<u4") >> 16).astype("<u2")

    def put(file):
        file.create_dataset(KERNEL, data=bits.view("V2")).attrs["dtype"] = "bfloat16"

    replaced(path, KERNEL, put)
    other = make()
    load(path, other)
    assert other.head.weight.T.tolist() == np.arange(16).reshape(4, 4).tolist()


def test_an_hdf5_file_of_something_else(make, tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = [1.0]
    with pytest.raises(CheckpointError, match="is an HDF5 file, but holds no weights as Keras writes them"):
        load(tmp_path / "data.h5", make())


@pytest.mark.parametrize("block", range(4))
def test_damage_anywhere_is_reported_as_such(make, numbered, legacy, block):
    path, other = (numbered, legacy)[block % 2](make()), make()
    whole = path.read_bytes()
    random = Random(block)
    for _ in range(25):
        spoilt = bytearray(whole)
        for _ in range(random.randint(1, 8)):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        path.write_bytes(spoilt)
        with contextlib.suppress(CheckpointError):  # nothing else, and not every byte matters
            load(path, other)


def test_a_file_cut_short(make, legacy):
    path = legacy(make())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is damaged, or no checkpoint"):
        load(path, make())
