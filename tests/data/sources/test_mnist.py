import gzip

import numpy as np
import pytest

from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.data.sources.mnist import mnist, read_idx
from rmldnn.errors import ConfigError, DataError


def idx(array):
    """An array as an IDX file."""
    extents = b"".join(extent.to_bytes(4, "big") for extent in array.shape)
    return bytes([0, 0, 8, array.ndim]) + extents + array.tobytes()


def pictures(count):
    return np.random.default_rng(0).integers(0, 255, (count, 28, 28), dtype=np.uint8)


def labels(count):
    return np.arange(count, dtype=np.uint8) % 10


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = idx(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture(params=["{}-idx{}-ubyte", "{}-idx{}-ubyte.gz", "{}.idx{}-ubyte"])
def folder(tmp_path, request):
    """Twenty training and ten test digits."""
    for name, count in (("train", 20), ("t10k", 10)):
        save(tmp_path / request.param.format(f"{name}-images", 3), pictures(count))
        save(tmp_path / request.param.format(f"{name}-labels", 1), labels(count))
    return tmp_path


@pytest.mark.parametrize(("which", "count"), [("train", 20), ("test", 10)])
def test_a_folder_holds_both_sets(folder, which, count):
    source = mnist(Side(which, "input", str(folder)))
    assert len(source.names) == count
    taken = source.take(np.array([3, 1]))
    assert np.array_equal(taken[..., 0], pictures(count)[[3, 1]])


@pytest.mark.parametrize(("which", "count"), [("train", 20), ("test", 10)])
def test_labels_are_found_beside_the_images(folder, which, count):
    inputs = mnist(Side(which, "input", str(folder)))
    targets = mnist(Side(which, "target", None, inputs))
    taken = targets.take(np.array([13 % count, 2]))
    assert (taken.tolist(), taken.dtype) == ([3, 2], np.int64)


@pytest.mark.parametrize("configured", [lambda folder: folder, lambda folder: next(folder.glob("train-labels*"))])
def test_labels_are_found_in_a_folder_or_a_file(folder, configured):
    inputs = mnist(Side("train", "input", str(folder)))
    assert mnist(Side("train", "target", str(configured(folder)), inputs)).array.tolist() == labels(20).tolist()


def test_labels_may_belong_to_inputs_of_another_type(folder, tmp_path, write):
    for index in range(20):
        write(tmp_path / "png" / f"{index:02}.png")
    inputs = images(Side("train", "input", str(tmp_path / "png")))
    assert mnist(Side("train", "target", str(folder), inputs)).meaning == "classes"


def test_classes_are_the_digits(folder):
    inputs = mnist(Side("train", "input", str(folder)))
    assert mnist(Side("train", "target", None, inputs)).classes == {str(digit): digit for digit in range(10)}


def test_a_single_file_holds_a_set(folder):
    file = next(folder.glob("t10k-images*"))
    inputs = mnist(Side("train", "input", str(file)))
    assert len(mnist(Side("train", "target", None, inputs)).names) == 10


def test_names_are_numbers(folder):
    assert mnist(Side("test", "input", str(folder))).names[:2] == ["00000", "00001"]


def test_images_may_be_targets(folder):
    inputs = mnist(Side("train", "input", str(folder)))
    targets = mnist(Side("train", "target", inputs.path, inputs))
    assert (targets.meaning, targets.take(np.array([0])).shape) == ("pixels", (1, 28, 28, 1))


def test_files_below_a_folder_are_found(tmp_path):
    save(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte", pictures(2))
    assert len(mnist(Side("train", "input", str(tmp_path))).names) == 2


def test_of_a_file_and_its_compressed_form_one_is_taken(tmp_path):
    for suffix in ("", ".gz"):
        save(tmp_path / f"train-images-idx3-ubyte{suffix}", pictures(2))
    assert not mnist(Side("train", "input", str(tmp_path))).path.endswith(".gz")


def test_what_is_not_compressed_stays_in_its_file(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(2))
    assert isinstance(mnist(Side("train", "input", str(tmp_path))).array, np.memmap)


@pytest.mark.parametrize("shape", [(5,), (5, 7), (5, 7, 3)])
def test_samples_have_up_to_two_axes(tmp_path, shape):
    save(tmp_path / "a", np.ones(shape, np.uint8))
    assert mnist(Side("train", "input", str(tmp_path / "a"))).take(np.array([0, 4])).shape == (2, *shape[1:], 1)


def test_several_files_of_a_set_are_an_error(tmp_path):
    for split in ("letters", "digits"):
        save(tmp_path / f"emnist-{split}-train-images-idx3-ubyte", pictures(2))
    with pytest.raises(
        DataError, match=r"data\.input_path: several files of training images: .*digits.*letters.*; name"
    ):
        mnist(Side("train", "input", str(tmp_path)))


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(
        DataError, match=r"data\.test_input_path: no IDX file of test images in .* `t10k-images-idx3-ubyte`"
    ):
        mnist(Side("test", "input", str(tmp_path)))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"data\.input_path: `.*/nowhere` does not exist"):
        mnist(Side("train", "input", str(tmp_path / "nowhere")))


def test_missing_labels_are_an_error(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(2))
    inputs = mnist(Side("train", "input", str(tmp_path)))
    with pytest.raises(DataError, match=r"no labels beside it; they should be in `train-labels-idx1-ubyte`"):
        mnist(Side("train", "target", None, inputs))


def test_labels_of_other_inputs_need_a_path(tmp_path, write):
    write(tmp_path / "a.png")
    inputs = images(Side("train", "input", str(tmp_path)))
    with pytest.raises(ConfigError, match=r"data\.target_path: is missing"):
        mnist(Side("train", "target", None, inputs))


def test_other_counts_of_images_and_labels_are_an_error(tmp_path):
    save(tmp_path / "train-images-idx3-ubyte", pictures(3))
    save(tmp_path / "train-labels-idx1-ubyte", labels(2))
    inputs = mnist(Side("train", "input", str(tmp_path)))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: has 2 labels for 3 inputs"):
        mnist(Side("train", "target", None, inputs))


def test_a_class_only_in_the_test_set_is_an_error(tmp_path):
    for name, last in (("train", 3), ("t10k", 4)):
        save(tmp_path / f"{name}-images-idx3-ubyte", pictures(2))
        save(tmp_path / f"{name}-labels-idx1-ubyte", np.array([0, last], np.uint8))
    sides = [mnist(Side(which, "input", str(tmp_path))) for which in ("train", "test")]
    training = mnist(Side("train", "target", None, sides[0]))
    with pytest.raises(
        DataError, match=r"t10k-labels-idx1-ubyte: label 1 is of class 4, but those of the training set end at 3"
    ):
        mnist(Side("test", "target", None, sides[1], training))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", r"is no IDX file: it begins with the bytes \(none\)"),
        (b"\x89PNG", "is no IDX file: it begins with the bytes 89 50 4e 47"),
        (b"\x00\x00\x0d\x03", "of type 0x0d with 3 axes; only unsigned bytes"),
        (b"\x00\x00\x08\x04", "of type 0x08 with 4 axes"),
        (b"\x00\x00\x08\x03\x00", "it is cut short, 5 of 16 bytes are there"),
        (b"\x00\x00\x08\x01" + bytes(4), "holds nothing"),
        (idx(pictures(2))[:-1], "it is cut short, 1583 of 1584 bytes are there; fetch it again"),
        (gzip.compress(idx(pictures(2)))[:-100], "it is cut short; fetch it again"),
        (gzip.compress(idx(pictures(2))[:-1]), "it is cut short, 1567 of 1568 bytes"),
        (gzip.compress(idx(pictures(2)))[:-8] + bytes(8), "its compressed data are damaged"),
        (b"\x1f\x8b" + bytes(100), "its compressed data are damaged"),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path, data, fault):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=rf"/a: .*{fault}"):
        read_idx(str(tmp_path / "a"))


def test_without_a_path_there_are_no_inputs():
    assert mnist(Side("test", "input", None)) is None
