from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmldnn.data import arrays
from rmldnn.data.dataset import data
from rmldnn.data.slicer import slicer
from rmldnn.data.source import Side
from rmldnn.data.sources.images import images
from rmldnn.data.sources.numpy import numpy
from rmldnn.errors import DataError

ALL = np.arange(3)


@pytest.fixture
def pairs(tmp_path):
    """Three inputs (2, 4, 5) and the class maps (4, 5) that belong to them."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    for index in range(3):
        np.save(tmp_path / "in" / f"{index}.npy", np.full((2, 4, 5), index, np.float32))
        np.save(tmp_path / "out" / f"{index}.npy", np.full((4, 5), index))
    inputs = numpy(Side("train", "input", str(tmp_path / "in")))
    return inputs, numpy(Side("train", "target", str(tmp_path / "out"), inputs))


def single(path, array, **keys):
    np.save(path, array)
    return numpy(Side("train", "input", str(path)), **keys)


def fault(path, **keys):
    with pytest.raises(DataError) as caught:
        numpy(Side("train", "input", str(path)), **keys).take(ALL[:1])
    return str(caught.value)


def test_without_a_path_there_is_no_source():
    assert numpy(Side("test", "target", None)) is None


def test_the_log_tells_what_is_being_discovered(tmp_path, said):
    single(tmp_path / "a.npy", np.zeros((1, 2)))
    assert said() == ["Discovering training input NumPy samples..."]


def test_channels_are_first_in_the_file_and_last_in_the_sample(pairs):
    assert [sample.shape for sample in pairs[0].take(ALL)] == 3 * [(4, 5, 2)]


def test_integers_without_channels_are_classes(pairs):
    assert (pairs[1].meaning, pairs[1].take(ALL)[2].shape) == ("classes", (4, 5, 1))


def test_integers_with_channels_are_values(tmp_path, pairs):
    np.save(tmp_path / "many.npy", np.zeros((3, 4, 5), int))
    inputs = single(tmp_path / "one.npy", np.zeros((2, 4, 5)))
    assert numpy(Side("train", "target", str(tmp_path / "many.npy"), inputs)).meaning == "values"


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), "none"), ((1, 4, 5), "first"), ((4, 6), "first"), ((5,), "first")]
)
def test_floats_on_the_grid_of_the_inputs_have_no_channels(tmp_path, shape, axis):
    np.save(tmp_path / "y.npy", np.zeros(shape))
    inputs = single(tmp_path / "x.npy", np.zeros((2, 4, 5)))
    targets = numpy(Side("train", "target", str(tmp_path / "y.npy"), inputs))
    assert (targets.channels, targets.meaning) == (axis, "values")


def test_integers_for_pictures_are_class_maps(tmp_path, write):
    write(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", np.zeros((4, 6), np.uint8))
    inputs = images(Side("train", "input", str(tmp_path / "a.png")))
    assert numpy(Side("train", "target", str(tmp_path / "a.npy"), inputs)).meaning == "classes"


@pytest.mark.parametrize(
    ("axis", "shape"), [("auto", (3, 4, 2)), ("first", (3, 4, 2)), ("last", (2, 3, 4)), ("none", (2, 3, 4, 1))]
)
def test_the_user_says_where_channels_are(tmp_path, axis, shape):
    source = single(tmp_path / "a.npy", np.zeros((2, 3, 4)), channel_axis=axis)
    assert source.take(ALL[:1])[0].shape == shape


def test_slicers_of_every_axis_leave_none_for_channels(tmp_path):
    source = single(tmp_path / "a.npy", np.zeros((2, 3, 4)))
    assert (source.channels_at(3), source.channels_at(2)) == ("none", "first")


@pytest.mark.parametrize(("axis", "dimensions"), [("auto", 4), ("auto", 1), ("first", 3), ("none", 2)])
def test_slicers_that_do_not_fit_are_an_error(tmp_path, axis, dimensions):
    source = single(tmp_path / "a.npy", np.zeros((2, 3, 4)), channel_axis=axis)
    with pytest.raises(DataError, match=r"a\.npy: has shape \(2, 3, 4\), but the slicers have"):
        source.channels_at(dimensions)


def test_an_archive_holds_a_sample_for_every_array(tmp_path):
    np.savez(tmp_path / "x.npz", b=np.ones((1, 2)), a=np.zeros((1, 2)))
    assert numpy(Side("train", "input", str(tmp_path))).names == ["x.npz/a", "x.npz/b"]


def test_archives_pair_by_the_names_of_their_arrays(tmp_path):
    np.savez(tmp_path / "in.npz", b=np.ones((1, 2)), a=np.zeros((1, 2)))
    np.savez_compressed(tmp_path / "out.npz", a=np.zeros(2, int), b=np.ones(2, int))
    inputs = numpy(Side("train", "input", str(tmp_path / "in.npz")))
    targets = numpy(Side("train", "target", str(tmp_path / "out.npz"), inputs))
    assert [sample.ravel().tolist() for sample in targets.take(ALL[:2])] == [[0, 0], [1, 1]]


def test_one_input_and_one_target_belong_together_whatever_their_names(tmp_path):
    inputs = single(tmp_path / "seismic.npy", np.zeros((1, 2, 2)))
    np.savez(tmp_path / "y.npz", faults=np.zeros((2, 2), int))
    assert numpy(Side("train", "target", str(tmp_path / "y.npz"), inputs)).names == ["y.npz/faults"]


def test_an_input_without_target_is_an_error(tmp_path, pairs):
    np.save(tmp_path / "in" / "3.npy", np.zeros((2, 4, 5)))
    inputs = numpy(Side("train", "input", str(tmp_path / "in")))
    with pytest.raises(DataError, match=r"inputs without target: `3\.npy`"):
        numpy(Side("train", "target", str(tmp_path / "out"), inputs))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(data=st.data())
@settings(max_examples=15)
def test_windows_are_those_of_the_array(tmp_path_factory, save, data):
    dtype = data.draw(st.sampled_from(["<f4", ">f8", ">i2", "|u1", "?", "<f2", "<u8"]))
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=data.draw(st.sampled_from("CF")))
    window = tuple(slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape)
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", array)
    save(folder / "b.npz", first=np.zeros(3), b=array)
    source = numpy(Side("train", "input", str(folder)))
    for index in (0, 1):
        assert source.stored(index).shape == shape
        np.testing.assert_array_equal(source.stored(index)[window], array[window])
        assert source.stored(index)[...].dtype == np.dtype(dtype).newbyteorder("=")


def test_an_array_that_is_not_packed_is_not_read_whole(tmp_path):
    with (tmp_path / "huge.npy").open("wb") as stream:  # a file with a hole
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f4", "fortran_order": False, "shape": (1, 10**6, 10**6)}
        )
        stream.truncate(stream.tell() + 4 * 10**12)
    source = numpy(Side("train", "input", str(tmp_path / "huge.npy")))
    assert not source.stored(0)[0:1, 500_000:500_002, 0:3].any()


def test_numbers_outlive_their_file(tmp_path):
    source = single(tmp_path / "a.npy", np.ones((1, 3)))
    sample = source.stored(0)[...]
    assert not isinstance(sample, np.memmap)


def test_rows_of_an_array_are_samples(tmp_path):
    inputs = single(tmp_path / "x.npy", np.arange(30.0).reshape(5, 1, 2, 3), samples="rows")
    np.save(tmp_path / "y.npy", np.arange(5))
    targets = numpy(Side("train", "target", str(tmp_path / "y.npy"), inputs), samples="rows")
    wanted = np.array([3, 4, 0])
    assert (inputs.names, targets.meaning) == (["0", "1", "2", "3", "4"], "classes")
    assert [sample.ravel()[0] for sample in inputs.take(wanted)] == [18, 24, 0]
    assert [sample.item() for sample in targets.take(wanted)] == [3, 4, 0]


def test_rows_must_be_as_many_as_inputs(tmp_path):
    inputs = single(tmp_path / "x.npy", np.zeros((5, 2, 3)), samples="rows")
    np.save(tmp_path / "y.npy", np.arange(4))
    with pytest.raises(DataError, match=r"data\.target_path: there are 4 rows, but 5 inputs \(y\.npy has 4, .* 5\)"):
        numpy(Side("train", "target", str(tmp_path / "y.npy"), inputs), samples="rows")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_objects_are_refused_for_they_could_run_code(tmp_path, save):
    save(tmp_path / "a.npz", a=np.array([None, 1]))
    assert "a.npz/a: holds Python objects, and unpacking them could run" in fault(tmp_path / "a.npz")


def test_a_pickle_by_another_name_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x80\x04\x95....")
    assert "a.npy: holds Python objects, and unpacking them could run" in fault(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(2, complex), "holds complex numbers; save real and imaginary parts as two channels"),
        (np.array(["a"]), "holds texts; save numbers"),
        (np.zeros(2, [("x", "f4"), ("y", "i4")]), "holds records of type"),
        (np.zeros((0, 3)), r"holds no numbers, its shape is (0, 3); remove it"),
    ],
)
def test_what_is_no_array_of_numbers_is_told(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    assert f"a.npy: {message}" in fault(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("a.npy", lambda data: data[:-4], "the file is cut short; repair or remove it"),
        ("a.npy", lambda data: data[:20], "damaged, cut short, or was not written by NumPy; repair or remove it"),
        ("a.npy", lambda data: b"", "the file is empty; repair or remove it"),
        ("a.npy", lambda data: b"hello, world", "was not written by NumPy; repair or remove it"),
        ("a.npz", lambda data: data[:-9], "was not written by `numpy.savez`; repair or remove it"),
        ("a.npz", lambda data: b"", "was not written by `numpy.savez`; repair or remove it"),
    ],
)
def test_a_damaged_file_is_told(tmp_path, name, change, message):
    path = tmp_path / name
    (np.save if name == "a.npy" else np.savez)(path, np.zeros((2, 3)))
    path.write_bytes(change(path.read_bytes()))
    assert fault(path).startswith(f"{path}: cannot read this ar")
    assert fault(path).endswith(message)


def test_damage_inside_a_compressed_array_is_told(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).normal(size=(1, 5000)))
    data = bytearray(path.read_bytes())
    data[20_000:20_100] = bytes(100)
    path.write_bytes(data)
    assert "a.npz/a: cannot read this array: " in fault(path)


def test_all_archives_that_cannot_be_opened_are_told_at_once(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.npz").write_bytes(b"PK")
    assert [line.split(": ")[0][-5:] for line in fault(tmp_path).splitlines()] == ["a.npz", "b.npz", "c.npz"]


def test_a_bad_file_does_not_stand_for_all(pairs, tmp_path):
    (tmp_path / "in" / "0.npy").write_bytes(b"")
    source = numpy(Side("train", "input", str(tmp_path / "in")))
    assert (source.example, source.take(ALL[1:])[0].shape) == (1, (4, 5, 2))


def test_encoded_bytes_are_those_of_the_files(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(5), b=np.zeros(5))
    source = numpy(Side("train", "input", str(tmp_path)))
    assert source.encoded_bytes(10**9) == (tmp_path / "a.npz").stat().st_size


@pytest.mark.parametrize("keys", [{"slicers": [slicer(sizes=[1, 64, 64])]}, {"samples": "rows"}], ids=str)
def test_a_large_array_that_is_read_in_parts_does_not_stay_in_memory(tmp_path, monkeypatch, keys):
    monkeypatch.setattr(arrays, "_MAPPED", 2**24)
    monkeypatch.setattr(arrays, "_SEEN", 2**22)
    np.save(tmp_path / "a.npy", np.ones((64, 512, 512), np.float32))  # 64 MiB

    def resident():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

    made = keys.pop("slicers", [])
    opened = data(lambda side: numpy(side, **keys), None, (), (), (), made, test_input_path=str(tmp_path / "a.npy"))
    before = resident()
    seen = [resident() for batch in opened.loader("test").epoch(1) if batch.inputs.min() == 1]
    assert max(seen) - before < 32 * 1024
