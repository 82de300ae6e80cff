"""Data that cannot be used, each kind as a user meets it: the command says which file, what is wrong, and what to do.

Cases make their faults in a folder with `train/` and `test/` (pictures of two classes), or write sets of their own.
Most run in this process, which is fast; some run as processes, so that nothing hides behind that.
"""

import copy
import importlib.util
import io
import json
import os
import shutil
import signal
import struct
import tarfile
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from rmldnn.cli import main
from rmldnn.data.sources import images

MAPS = [
    {
        "class_name": "Conv2D",
        "config": {
            "filters": 2,
            "kernel_size": 1,
            "activation": "log_softmax",
            "batch_input_shape": [None, 12, 12, 1],
        },
    }
]
VALUES = [
    {
        "class_name": "Conv2D",
        "config": {"filters": 1, "kernel_size": 1, "batch_input_shape": [None, 12, 12, 1]},
    }
]
ONE = "train/up/up_1.png"
FOUND = {name for name in ("nibabel", "tifffile", "zarr") if importlib.util.find_spec(name)}


def needs(package):
    return pytest.mark.skipif(package not in FOUND, reason=f"needs {package}")


# What cases are made of


def cut(path, share=0.6):
    """Keeps the first part of a file."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * share)])


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def picture(path, array):
    assert cv2.imwrite(str(path), array)


def pictures_as(suffix, dtype=np.uint8):
    """Turns all training pictures into another format."""
    for path in Path("train").rglob("*.png"):
        picture(path.with_suffix(suffix), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(dtype))
        path.unlink()


def pairs(config, write, kind, target_type=None, layers=VALUES, loss="MSE", **keys):
    """Makes `in/` and `out/` of four samples each the training set."""
    random = np.random.default_rng(0)
    for folder in ("in", "out"):
        Path(folder).mkdir()
        for index in range(4):
            write(f"{folder}/{index}", random.random((1, 12, 12), np.float32))
    types = {"input_type": kind, "target_type": target_type} if target_type else {"type": kind}
    config["layers"] = layers
    config["loss"] = {"function": loss}
    config["data"] = {**types, "input_path": "./in", "target_path": "./out", "batch_size": 2, **keys}


def masks(config, **keys):
    def write(stem, array):
        picture(f"{stem}.png", (array[0] * (200 if stem.startswith("in") else 2)).astype(np.uint8))

    pairs(config, write, "images", "masks", MAPS, "NLL", grayscale=True, **keys)


def npy(config):
    pairs(config, lambda stem, array: np.save(f"{stem}.npy", array), "numpy")


def npz(config):
    pairs(config, lambda stem, array: np.savez(f"{stem}.npz", x=array), "numpy")


def hdf5(config, **keys):
    def write(stem, array):
        with h5py.File(f"{stem}.h5", "w") as file:
            file["x"] = array

    pairs(config, write, "hdf5", **keys)


def nifti(config, suffix=".nii"):
    import nibabel

    pairs(
        config,
        lambda stem, array: nibabel.save(nibabel.Nifti1Image(array[0], np.eye(4)), f"{stem}{suffix}"),
        "nifti",
        layers=VALUES,
    )


def zarr(config):
    import zarr

    pairs(config, lambda stem, array: zarr.save_array(f"{stem}.zarr", array), "zarr")


def shard(config, *members, mode="w"):
    """Makes `s.tar`, six pictures with their classes and further members, the training set."""
    with tarfile.open("s.tar", mode) as archive:
        for index in range(6):
            image = cv2.imencode(".png", noise(12, 12) + index)[1].tobytes()
            for suffix, data in (("png", image), ("cls", b"%d" % (index % 2))):
                member = tarfile.TarInfo(f"{index}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    config["data"] = {"type": "webdataset", "input_path": "./s.tar", "batch_size": 4, "grayscale": True}


def link(name, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def idx(config, count=6, size=6 * 144, labels=6):
    Path("m").mkdir()
    Path("m/train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, count, 12, 12) + bytes(size))
    Path("m/train-labels-idx1-ubyte").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, labels) + bytes([0, 1, 0] * 9)[:labels]
    )
    config["data"] = {"type": "mnist", "input_path": "./m", "batch_size": 3}


# Samples that cannot be used; others of the set can

SAMPLES = {}
"""Name of a case -> what makes it, and what the message must say."""


def sample(*said, marks=()):
    """Marks what makes a case."""

    def note(make):
        SAMPLES[make.__name__] = pytest.param(make, said, id=make.__name__, marks=marks)
        return make

    return note


@sample("./train/up/up_1.jpg: cannot read this image: the file is cut short; repair or remove it")
def truncated_jpeg(config):
    pictures_as(".jpg")
    cut("train/up/up_1.jpg")


@sample(f"./{ONE}: cannot read this image: the file is empty; repair or remove it")
def zero_bytes(config):
    Path(ONE).write_bytes(b"")


@sample(f"./{ONE}: cannot read this image: the file is cut short; repair or remove it")
def truncated_png(config):
    cut(ONE, 0.9)


@sample(f"./{ONE}: cannot read this image: the file is cut short; repair or remove it")
def truncated_png_of_16_bits(config):
    picture(ONE, noise(12, 12, dtype=np.uint16) * 300)
    cut(ONE)


@sample("./train/up/up_1.tif: cannot read this image: the file is damaged, cut short, or", "repair or remove it")
def truncated_tiff(config):
    pictures_as(".tif")
    cut("train/up/up_1.tif")


@sample("./train/up/up_1.tif: cannot use this image: 3 of its 144 values are infinite or not numbers (NaN); replace")
def nan_in_a_tiff(config):
    pictures_as(".tif", np.float32)
    array = np.ones((12, 12), np.float32)
    array[0, :3] = np.nan
    picture("train/up/up_1.tif", array)


@sample(f"./{ONE}: cannot read this image: it is no picture, but a text that begins with `<svg>`; fetch the picture")
def text_in_the_place_of_a_picture(config):
    Path(ONE).write_text("<svg>\n</svg>")


@sample(f"./{ONE}: cannot read this image: the file is damaged, cut short, or of a format", "repair or remove it")
def rubbish_in_the_place_of_a_picture(config):
    Path(ONE).write_bytes(bytes(range(256)))


@sample(f"./{ONE}: cannot read this image: it is gone, or a link that leads nowhere; put the file back")
def dead_link(config):
    Path(ONE).unlink()
    Path(ONE).symlink_to("/nowhere/up.png")


@sample(
    f"./{ONE}: cannot read this image: you are not allowed to; allow it by `chmod +r`, or remove it",
    marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything"),
)
def not_to_be_read(config):
    Path(ONE).chmod(0)


@sample(
    "./train/up/up_1.pbm: cannot read",
    "10000 x 10000 pixels (width x height), and `max_pixels` allows 67108864",
    "shrink it",
)
def too_large(config):
    Path("train/up/up_1.pbm").write_bytes(b"P4\n10000 10000\n" + bytes(10000 * 1250))


@sample("./train/up/a.tif: cannot read this image: it has 5 bands that are no colours", '"bands": [3, 2, 1]')
def bands(config):
    header = [
        (256, 12),
        (257, 12),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8 + 2 + 12 * 9 + 4),
        (277, 5),
        (278, 12),
        (279, 720),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in header)
    Path("train/up/a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, 9) + entries + bytes(4 + 720))


@sample("./train/up/a.gif: cannot read this image: the file is damaged, cut short, or of a format", "repair or remove")
def truncated_gif(config):
    Path("train/up/a.gif").write_bytes(b"GIF89a\x0c\0\x0c\0\x80\0\0" + bytes(6) + b",")


@sample("./out/2.png: has pixels of the value 255, which `values` does not list: [0, 1]; add it there, or repair")
def mask_of_a_value_that_is_not_listed(config):
    masks(config, values=[0, 1])
    picture("out/2.png", np.full((12, 12), 255, np.uint8))


@sample("./out/2.png: cannot use this mask: its pixels have colours; masks need one whole number for each pixel; save")
def mask_of_colours(config):
    masks(config)
    picture("out/2.png", noise(12, 12, 3))


@sample("./out/2.tif: cannot use this mask: its values are of type float32, up to 0.5; masks need whole numbers")
def mask_of_floats(config):
    masks(config)
    Path("out/2.png").unlink()
    picture("out/2.tif", np.full((12, 12), 0.5, np.float32))


@sample("./out/2.png: cannot read this image: the file is cut short; repair or remove it")
def truncated_mask(config):
    masks(config)
    cut("out/2.png")


@sample("./in/2.npy: 3 of 144 values are not a number or infinite; repair the file", "or remove it")
def nan_in_an_array(config):
    npy(config)
    array = np.ones((1, 12, 12), np.float32)
    array[0, 0, :3] = np.nan
    np.save("in/2.npy", array)


@sample("./out/2.npy: 144 of 144 values are not a number or infinite; repair the file", "or remove it")
def infinity_in_a_target(config):
    npy(config)
    np.save("out/2.npy", np.full((1, 12, 12), np.inf))


@sample("./in/2.npy: cannot read this array: the file is cut short; repair or remove it")
def truncated_npy(config):
    npy(config)
    cut("in/2.npy")


@sample("./in/2.npy: cannot read this array: the file is empty; repair or remove it")
def empty_npy(config):
    npy(config)
    Path("in/2.npy").write_bytes(b"")


@sample("./in/2.npy: cannot read this array: it is damaged, cut short, or was not written by NumPy; repair or remove")
def text_in_the_place_of_an_array(config):
    npy(config)
    Path("in/2.npy").write_text("1, 2, 3")


@sample("./in/2.npy: holds complex numbers; save real and imaginary parts as two channels")
def complex_numbers(config):
    npy(config)
    np.save("in/2.npy", np.zeros((1, 12, 12), np.complex64))


@sample("./in/2.npy: holds no numbers, its shape is (1, 0, 12); remove it")
def array_of_nothing(config):
    npy(config)
    np.save("in/2.npy", np.zeros((1, 0, 12)))


@sample("./in/2.npz/x: holds Python objects, and unpacking them could run a stranger's code; save it as an array of")
def npz_of_objects(config):
    npz(config)
    np.savez("in/2.npz", x=np.array([None, {}], object))


@sample("./in/2.npz: cannot read this archive: it is damaged, cut short", "repair or remove it")
def truncated_npz(config):
    npz(config)
    cut("in/2.npz")


@sample("./in/2.h5: cannot read this file: the HDF5 file is damaged or cut short; repair or remove it")
def truncated_hdf5(config):
    hdf5(config)
    cut("in/2.h5")


@sample("./in/2.h5: cannot read this file: it is no HDF5 file; repair or remove it")
def text_in_the_place_of_hdf5(config):
    hdf5(config, dataset="x")
    Path("in/2.h5").write_text("no HDF5")


@sample(
    "./in/2.h5/x: its numbers lie in another file, `/etc/other.h5`, and a stranger's file could", "copy the numbers"
)
def external_link(config):
    hdf5(config)
    with h5py.File("in/2.h5", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/other.h5", "/x")


@sample("./in/2.h5/x: its numbers lie in another file, `/etc/passwd`, and a stranger's file could", "copy the numbers")
def external_storage(config):
    hdf5(config)
    with h5py.File("in/2.h5", "w") as file:
        file.create_dataset("x", (1, 12, 12), "f4", external=[("/etc/passwd", 0, 576)])


@sample(
    "./in/2.nii: cannot read this array: the file is damaged or cut short; repair or remove it", marks=needs("nibabel")
)
def truncated_nifti(config):
    nifti(config)
    cut("in/2.nii")


@sample("./in/2.nii.gz: cannot read this", "repair or remove it", marks=needs("nibabel"))
def truncated_packed_nifti(config):
    nifti(config, ".nii.gz")
    cut("in/2.nii.gz", 0.9)


@sample(
    "./in/2.zarr: cannot read this array: the file is damaged or cut short; repair or remove it", marks=needs("zarr")
)
def truncated_chunk_of_zarr(config):
    zarr(config)
    for path in Path("in/2.zarr").rglob("*"):
        if path.is_file() and path.name not in ("zarr.json", ".zarray"):
            cut(path)


@sample("in/2.zarr/", "cannot read this array: this file is no JSON; repair or remove it", marks=needs("zarr"))
def truncated_description_of_zarr(config):
    zarr(config)
    cut(next(path for path in Path("in/2.zarr").iterdir() if path.name in ("zarr.json", ".zarray")))


@sample("./s.tar/0.png: cannot read this image: the file is", "repair or remove it")
def damaged_picture_in_a_shard(config):
    shard(config)
    data = Path("s.tar").read_bytes()
    Path("s.tar").write_bytes(data[:512] + bytes(60) + data[572:])


# Sets that cannot be used

SETS = {}


def whole_set(*said, marks=()):
    def note(make):
        SETS[make.__name__] = pytest.param(make, said, id=make.__name__, marks=marks)
        return make

    return note


@whole_set("data.input_path: `./train/` does not exist; paths are relative to the working directory, `/")
def missing_folder(config):
    shutil.rmtree("train")


@whole_set("data.input_path: no images in `./train/` or below; suffixes known here: .avif, .bmp,")
def empty_folder(config):
    shutil.rmtree("train")
    Path("train").mkdir()


@whole_set("data.input_path: no images in `./train/` or below; suffixes known here: .avif, .bmp,")
def folder_of_other_files(config):
    for path in Path("train").rglob("*.png"):
        path.rename(path.with_suffix(".txt"))


@whole_set("data.input_path: `./in/a.txt` is not a file of images; suffixes known here: .avif,")
def single_file_of_another_kind(config):
    masks(config)
    Path("in/a.txt").write_text("")
    config["data"]["input_path"] = "./in/a.txt"


@whole_set("data.input_path: `./in/9.png` does not exist; paths are relative to the working directory, `/")
def single_file_that_is_missing(config):
    masks(config)
    config["data"]["input_path"] = "./in/9.png"


@whole_set("train/a.png: has no class, as it lies directly in the folder of the training set; put every class into")
def picture_without_a_class(config):
    picture("train/a.png", noise(12, 12))


@whole_set("class `left` is in the test set but not in the training set", "./test/left/up_0.png", "has `down`, `up`")
def class_that_training_does_not_know(config):
    shutil.copytree("test/up", "test/left")


@whole_set(
    "data.target_path: every input needs one target, but there are 4 inputs and 4 targets",
    "inputs without target: `2.png`; targets without input: `9.png`; they are paired by name, such as",
)
def without_partners(config):
    masks(config)
    Path("out/2.png").rename("out/9.png")


@whole_set("there are 5 inputs and 4 targets; inputs of the same name: `2.bmp`, `2.png`; they are paired by name")
def two_of_a_name(config):
    masks(config)
    picture("in/2.bmp", noise(12, 12))


@whole_set("there is 1 input and 4 targets; targets without input: `0.png`, `2.png`, `3.png`; they are paired by name")
def single_file_and_a_folder(config):
    masks(config)
    config["data"]["input_path"] = "./in/1.png"


@whole_set("inputs without target: `2.png`", "JPEG files, which do not keep values exactly, are passed over: `2.jpg`")
def mask_as_jpeg(config):
    masks(config)
    Path("out/2.png").unlink()
    picture("out/2.jpg", noise(12, 12))


@whole_set("masks of one set differ in size: ", "./out/2.png is 20 x 20", "12 x 12", "bring them to one")
def mask_larger_than_its_picture(config):
    masks(config)
    picture("out/2.png", np.zeros((20, 20), np.uint8))


@whole_set("./out/1.png: this map of classes is 20 x 20 (width x height), but the network's output is 12 x 12")
def masks_larger_than_their_pictures(config):
    masks(config)
    for index in range(4):
        picture(f"out/{index}.png", np.zeros((20, 20), np.uint8))
    for folder in ("in", "out"):
        Path(f"{folder}/0.png").unlink()  # the first sample is that of index 0, whatever its name


@whole_set(
    "./in/2.png is 12 x 12 (width x height), but its target ./out/2.png is 20 x 20 (width x height), where",
    "`random_crop` acts on both",
)
def mask_of_another_extent_is_cropped(config):
    masks(config, transforms=[{"random_horizontal_flip": 0.5}, {"random_crop": [8, 8]}])
    config["layers"] = copy.deepcopy(MAPS)
    config["layers"][0]["config"]["batch_input_shape"] = [None, 8, 8, 1]
    picture("out/2.png", np.zeros((20, 20), np.uint8))


@whole_set(
    "images of one set differ in size: ", f"./{ONE} is 9 x 10 (width x height); bring them", '"resize": [12, 12]'
)
def pictures_of_different_sizes(config):
    picture(ONE, noise(10, 9))


@whole_set("./train/up/up_1.tif: has floating-point numbers, which are taken as they are, but", "the same type")
def floats_among_integers(config):
    Path(ONE).unlink()
    picture("train/up/up_1.tif", np.zeros((12, 12), np.float32))


@whole_set(f"./{ONE}: `center_crop` cannot cut 12 x 12 (width x height) out of a sample of 9 x 9", "`resize`")
def pictures_too_small_to_be_cut(config):
    picture(ONE, noise(9, 9))
    config["data"]["transforms"] = [{"center_crop": [12, 12]}]


@whole_set("samples of one set differ in their channels: ", "./in/2.npy has 3", "give all of them as many")
def wrong_number_of_channels(config):
    npy(config)
    np.save("in/2.npy", np.zeros((3, 12, 12), np.float32))


@whole_set("samples of one set differ in shape: ", "./in/2.npy is 12 x 12 (channels last)", "to one shape")
def wrong_number_of_axes(config):
    npy(config)
    np.save("in/2.npy", np.zeros((12, 12), np.float32))


@whole_set("./in/0.h5/y: there is no such dataset; the file has x; correct `data.dataset`")
def dataset_that_is_missing(config):
    hdf5(config, dataset="y")


@whole_set("./in/0.h5: cannot read this file: ", "\n./in/1.h5: cannot read this file: it is no HDF5 file; repair or")
def all_files_that_slicers_cut(config):
    hdf5(config, slicers=[{"name": "a", "sizes": [12, 12]}])
    for path in ("in/0.h5", "in/1.h5"):
        Path(path).write_text("no HDF5")


@whole_set(
    "./s.tar: cannot read this shard: it is cut short, it ends at byte ", "the last whole member is `3.cls`", "fetch"
)
def truncated_tar(config):
    shard(config)
    Path("s.tar").write_bytes(Path("s.tar").read_bytes()[:8500])


@whole_set("./a.tar: cannot read this shard: the file is empty; fetch it again or remove it\n./s.tar: cannot read this")
def several_damaged_shards(config):
    shard(config)
    cut("s.tar", 0.3)
    Path("a.tar").write_bytes(b"")
    config["data"]["input_path"] = "./a.tar::./s.tar"


@whole_set("./s.tar: is compressed, so that samples cannot be read from its middle; unpack it: gunzip")
def packed_tar(config):
    shard(config, mode="w:gz")


@whole_set("./s.tar: member `../7.png` is refused: its name leads out of the folder; shards hold plain files only")
def tar_that_leads_out(config):
    shard(config, tarfile.TarInfo("../7.png"))


@whole_set(
    "./s.tar: member `/etc/7.png` is refused: its name is not a path below a folder; shards hold plain files only"
)
def tar_with_an_absolute_path(config):
    shard(config, tarfile.TarInfo("/etc/7.png"))


@whole_set("./s.tar: member `7.png` is refused: it is a link to `/etc/passwd`; shards hold plain files only")
def tar_with_a_link(config):
    shard(config, link("7.png", "/etc/passwd"))


@whole_set("./s.tar/7: has no member `cls`; every sample needs one, so write the shards anew, or", "`target_member`")
def tar_without_a_class(config):
    shard(config, tarfile.TarInfo("7.png"))


@whole_set(
    "m/train-images-idx3-ubyte: cannot read this file: it is cut short, 826 of 880 bytes are there; fetch it again"
)
def truncated_mnist(config):
    idx(config, size=810)


@whole_set("m/train-labels-idx1-ubyte: has 5 labels for 6 inputs", "every input needs one")
def fewer_labels_than_pictures(config):
    idx(config, labels=5)


# The tests


class Said:
    """How a command ended, and what it said on its two streams."""

    def __init__(self, code, captured):
        self.code = code
        self.out, self.err = captured


@pytest.fixture
def config(pictures, config):
    """The configuration of a case, in its working directory."""
    config["data"]["batch_size"] = 32  # whatever is bad is in the first batch
    return {**config, "num_epochs": 1}


@pytest.fixture
def run(config, capfd):
    """Writes the configuration, and runs the command in this process: `run("config.json", "num_epochs=3")`."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*words):
        Path("config.json").write_text(json.dumps({"neural_network": config}))
        capfd.readouterr()
        return Said(main(words), capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


def refused(result, said):
    """The error is all that is on the stream, it is short, and says what it should."""
    assert result.code == 3, result.err + result.out
    assert result.err.startswith("rmldnn: error: ")
    assert result.err.count("rmldnn: error: ") == 1
    assert len(result.err.splitlines()) <= 10
    assert "Traceback" not in result.err + result.out
    for part in said:
        assert part in result.err


def written():
    """Files that hold something, without data and indexes of shards."""
    return [
        str(path)
        for path in Path().rglob("*")
        if path.is_file()
        and path.stat().st_size
        and path.parts[0] not in ("train", "test", "in", "out", "m", "config.json", "a.tar", "s.tar", "s.idx.json")
    ]


@pytest.mark.parametrize(("make", "said"), [*SAMPLES.values(), *SETS.values()])
def test_the_run_stops_with_one_clear_message_and_leaves_nothing_behind(config, run, make, said):
    make(config)
    refused(run("config.json"), said)
    assert written() == []


@pytest.mark.parametrize(("make", "said"), SAMPLES.values())
def test_rmldnn_data_goes_on_and_lists_what_it_cannot_read(config, run, make, said):
    make(config)
    result = run("data", "config.json")
    assert result.code == 3
    assert result.err == ""
    assert "Training set: 1 cannot be used" in result.out
    assert all(part in result.out for part in said)
    assert "Picture of " in result.out
    assert written() == ["data.png"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        SETS[name]
        for name in (
            "missing_folder",
            "without_partners",
            "mask_larger_than_its_picture",
            "mask_of_another_extent_is_cropped",
            "pictures_of_different_sizes",
            "floats_among_integers",
            "pictures_too_small_to_be_cut",
            "wrong_number_of_channels",
            "wrong_number_of_axes",
            "truncated_tar",
        )
    ],
)
def test_rmldnn_data_foretells_what_stops_a_run(config, run, make, said):
    make(config)
    result = run("data", "config.json")
    assert result.code == 3
    assert all(part in result.err + result.out for part in said)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        SAMPLES[name]
        for name in (
            "truncated_jpeg",
            "nan_in_a_tiff",
            "mask_of_colours",
            "nan_in_an_array",
            "npz_of_objects",
            "truncated_npz",
            "truncated_hdf5",
            "external_link",
            "damaged_picture_in_a_shard",
        )
    ],
)
@pytest.mark.parametrize("workers", [0, 2])
def test_samples_are_left_out_counted_and_listed_at_the_end(config, run, make, said, workers):
    make(config)
    result = run("config.json", "data.on_bad_sample=skip", f"data.num_workers={workers}")
    assert (result.code, result.err) == (0, "")
    told = [line for line in result.out.splitlines() if "Warning: " in line]
    assert "Warning: 1 sample of the training set could not be read and was left out" in told[0]
    assert "Warning: left out: ./" in told[1]
    assert all(part in told[1] for part in said)
    assert len(told) == 2
    assert Path("model/model_checkpoint_1.pt").stat().st_size


@pytest.mark.parametrize(
    ("make", "said"),
    [
        SAMPLES["truncated_jpeg"],
        SAMPLES["nan_in_an_array"],
        SAMPLES["truncated_mask"],
        SAMPLES["external_storage"],
        SETS["pictures_of_different_sizes"],
        SETS["wrong_number_of_channels"],
    ],
)
def test_an_error_of_a_worker_reads_as_that_of_one_process(config, run, make, said):
    make(config)
    alone = run("config.json", "data.num_workers=0")
    workers = run("config.json", "data.num_workers=2")
    refused(workers, said)
    assert workers.err == alone.err


def test_a_worker_that_dies_is_told_with_the_sample_that_it_held(config, run, monkeypatch):
    read = images.decode
    monkeypatch.setattr(
        images, "decode", lambda path, **keys: os._exit(9) if path == f"./{ONE}" else read(path, **keys)
    )
    said = [f"a process that reads samples died while it was reading ./{ONE}; if memory", "`data.num_workers` 0"]
    refused(run("config.json", "data.num_workers=1", "data.batch_size=4"), said)


@pytest.fixture
def predictions(config):
    """A configuration that only predicts."""
    for key in ("loss", "optimizer", "checkpoints", "outfile"):
        del config[key]
    config["data"] = {"type": "images", "test_input_path": "./test/", "grayscale": True, "test_batch_size": 2}
    config["data"]["test_output_path"] = "./predictions/"
    cut("test/up/up_2.png")
    return config


FAULT = "./test/up/up_2.png: cannot read this image: the file is cut short; repair or remove it"


def test_an_inference_stops_too(predictions, run):
    refused(run("config.json"), [FAULT])
    for path in Path("predictions").rglob("*.h5"):
        h5py.File(path).close()  # whole as far as it goes


def test_an_inference_goes_on_without_samples_that_are_left_out(predictions, run):
    result = run("config.json", "data.on_bad_sample=skip")
    assert (result.code, result.err) == (0, "")
    assert FAULT in result.out
    names = []
    for path in Path("predictions").rglob("*.h5"):
        with h5py.File(path) as file:
            file.visit(names.append)
    found = " ".join(names)
    assert all(name in found for name in ("down_0", "down_1", "down_2", "up_0", "up_1"))
    assert "up_2" not in found


@pytest.mark.parametrize("keep", ["", "data.preload=true", "data.cache=true", "data.num_workers=1"])
def test_a_run_that_ends_tells_how_to_go_on_without_the_sample(config, run, keep):
    Path(ONE).write_bytes(b"")
    refused(run("config.json", *filter(None, [keep])), ['by `"on_bad_sample": "skip"` in `data` (`rmldnn data` lists'])
    assert "on_bad_sample" not in run("data", "config.json").out


@pytest.mark.parametrize(
    ("key", "line"), [("input_path", 3), ("test_input_path", 4), ("target_path", 5)], ids=lambda value: str(value)
)
def test_a_path_that_is_wrong_is_told_with_its_line(config, run, key, line):
    masks(config)
    shutil.copytree("in", "other")
    config["data"] |= {"test_input_path": "./in", "test_target_path": "./out", key: "./nowhere"}
    content = config | {"data": None}
    paths = [f'"{name}": "{config["data"].pop(name)}"' for name in ("input_path", "test_input_path", "target_path")]
    data = "{\n" + ",\n".join(paths) + ",\n" + json.dumps(config["data"])[1:]
    text = json.dumps({"neural_network": {"data": None, **content}}).replace('"data": null', f'\n"data": {data}')
    Path("lines.json").write_text(text)
    refused(run("lines.json"), [f"lines.json:{line}: data.{key}: `./nowhere` does not exist"])


def test_a_path_on_the_command_line_is_told_as_such(config, run):
    refused(
        run("config.json", "data.input_path=./trian/"), ["command line: data.input_path: `./trian/` does not exist"]
    )


def test_a_set_of_which_nothing_can_be_read(config, run):
    for path in Path("train").rglob("*.png"):
        path.write_bytes(b"")
    refused(run("config.json", "data.on_bad_sample=skip"), ["the file is empty"])
    listed = run("data", "config.json")
    assert "Training set: 22 cannot be used" in listed.out
    assert listed.out.count("the file is empty") == 22


def test_all_files_that_cannot_be_opened_are_told_at_once(config, run):
    npz(config)
    for index in (0, 3):
        cut(f"in/{index}.npz")
    refused(run("config.json"), ["./in/0.npz: cannot read", "\n./in/3.npz: cannot read"])


def test_archives_that_hold_different_arrays_cannot_be_left_out(config, run):
    npz(config)
    np.savez("in/0.npz", y=np.zeros(3))
    cut("in/3.npz")
    refused(run("config.json", "data.on_bad_sample=skip"), ["./in/3.npz: cannot read this archive"])


@pytest.mark.parametrize("path", ["pipe:cat s.tar", " PIPE: cat s.tar", "|cat s.tar"])
def test_commands_in_the_place_of_shards_are_refused(config, run, path):
    shard(config)
    config["data"]["input_path"] = path
    result = run("config.json")
    assert result.code == 2
    assert "is a command, and data must not run any; name files or http(s) addresses" in result.err


def test_a_class_without_an_output_is_refused_and_can_be_found(config, run):
    masks(config)
    picture("out/2.png", np.full((12, 12), 255, np.uint8))
    result = run("config.json")
    assert result.code == 2
    assert "the target holds class index 255, but the network has 2 outputs (classes 0 to 1)" in result.err
    listed = run("data", "config.json").out
    assert "in the training set 144 pixels are of class 255, first in ./out/2.png, but none of class 2 to 254" in listed
    assert "list what is stored as `values`: [0, 1, 255]" in listed


def test_a_mask_of_another_extent_is_no_sample_to_be_left_out(config, run):
    make, said = SETS["mask_of_another_extent_is_cropped"].values
    make(config)
    for workers in (0, 1):
        refused(run("config.json", "data.on_bad_sample=skip", f"data.num_workers={workers}"), said)


def test_a_damaged_file_that_is_input_and_target_is_told_once(config, run):
    npy(config)
    config["data"] |= {"target_path": "./in", "transforms": [{"center_crop": [12, 12]}]}
    cut("in/2.npy")
    assert run("data", "config.json").out.count("in/2.npy: cannot read") == 1
    np.save("in/2.npy", np.zeros((1, 9, 9), np.float32))
    assert run("data", "config.json").out.count("in/2.npy: `center_crop` cannot cut") == 1


def test_slicers_of_fewer_sizes_than_a_volume_has_axes_are_told_as_such(config, run):
    config["data"] = {"type": "numpy", "test_input_path": "block.npy", "slicers": [{"name": "a", "sizes": [8, 8]}]}
    config["layers"] = [
        {"class_name": "Conv3D", "config": {"filters": 1, "kernel_size": 1, "batch_input_shape": [None, 8, 8, 8, 1]}}
    ]
    np.save("block.npy", np.zeros((8, 8, 8), np.float32))
    result = run("config.json")
    assert result.code == 2
    assert "give each of `data.slicers` 3 `sizes`, one for each axis in space; there are 2" in result.err


def test_arrays_without_channels_are_told_the_key_that_says_so(config, run):
    npy(config)
    for path in [*Path("in").iterdir(), *Path("out").iterdir()]:
        np.save(path, np.load(path)[0])
    result = run("config.json")
    assert result.code == 2
    assert '"channel_axis": "none"' in result.err
    assert run("config.json", "data.channel_axis=none").code == 0


def test_masks_that_are_all_larger_are_told(config, run):
    masks(config)
    for index in range(4):
        picture(f"out/{index}.png", np.zeros((20, 20), np.uint8))
    assert (
        "a target has another extent than its input: ./in/0.png is 12 x 12, ./out/0.png is 20 x 20 and 3 more"
        in run("data", "config.json").out
    )


def test_what_transforms_bring_to_one_size_is_no_fault(config, run):
    masks(config, transforms=[{"resize": [12, 12]}])
    picture("in/2.png", noise(9, 14))
    picture("out/2.png", np.zeros((9, 14), np.uint8))
    picture("out/3.png", np.ones((20, 20), np.uint8))
    assert run("config.json").code == 0
    result = run("data", "config.json")
    assert (result.code, "Warning" in result.out) == (0, False)


@needs("zarr")
@pytest.mark.parametrize("keys", [{}, {"slicers": [{"name": "a", "sizes": [12, 12]}]}])
def test_chunks_of_zarr_that_are_missing_are_told(config, run, keys):
    zarr(config)
    config["data"] |= keys
    for path in Path("in/2.zarr").rglob("*"):
        if path.is_file() and path.name not in ("zarr.json", ".zarray"):
            path.unlink()
    result = run("data", "config.json")
    assert result.code == 0
    assert result.out.count("Warning: ") == 1
    assert "Warning: ./in/2.zarr: 1 of 1 chunks are not there and read as 0.0; this is right where" in result.out


def test_other_files_in_the_folder_are_passed_over(config, run):
    Path("train/up/notes.txt").write_text("not a picture")
    Path("train/up/.hidden.png").write_text("not a picture")
    Path("train/up/folder.png").mkdir()
    assert run("config.json").code == 0


def test_single_files_belong_together_whatever_their_names(config, run):
    masks(config)
    config["data"] |= {"input_path": "./in/1.png", "target_path": "./out/3.png"}
    assert run("config.json").code == 0


@pytest.mark.parametrize(
    ("make", "said"), [SAMPLES["truncated_jpeg"], SAMPLES["npz_of_objects"], SETS["truncated_tar"]]
)
def test_processes_say_the_same(config, rmldnn, make, said):
    make(config)
    Path("config.json").write_text(json.dumps({"neural_network": config}))
    refused(rmldnn("config.json", "data.num_workers=2"), said)


def test_processes_leave_out_and_list_the_same(config, rmldnn):
    truncated_png(config)
    Path("config.json").write_text(json.dumps({"neural_network": config}))
    result = rmldnn("config.json", "data.on_bad_sample=skip", "data.num_workers=2")
    assert (result.code, result.err) == (0, "")
    assert f"./{ONE}: cannot read this image: the file is cut short" in result.out
