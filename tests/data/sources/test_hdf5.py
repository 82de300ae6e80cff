import h5py
import numpy as np
import pytest

from rmldnn.data.loader import Loader
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Side
from rmldnn.data.sources.hdf5 import hdf5
from rmldnn.data.transform import Part
from rmldnn.errors import DataError

ALL = np.arange(3)


@pytest.fixture
def save(tmp_path):
    """Writes a file with given datasets and links."""

    def save(name, **items):
        with h5py.File(tmp_path / name, "w") as file:
            for path, item in items.items():
                file[path.replace("__", "/")] = item
        return str(tmp_path / name)

    return save


def source(path, role="input", inputs=None, **keys):
    return hdf5(Side("train", role, str(path), inputs), **keys)


def fault(path, **keys):
    with pytest.raises(DataError) as caught:
        source(path, **keys).take(ALL[:1])
    return str(caught.value)


def test_the_log_tells_what_is_being_discovered(save, said):
    source(save("a.h5", x=np.zeros((1, 2))))
    assert said() == ["Discovering training input HDF5 samples..."]


def test_datasets_of_one_file_are_called_by_their_paths(save):
    path = save("a.h5", b__y=np.ones((1, 2)), b__x=np.zeros((1, 2)), a=np.zeros((1, 2)))
    assert (source(path).names, source(path).locate(1)) == (["a", "b/x", "b/y"], f"{path}/b/x")


def test_datasets_of_several_files_are_called_by_these_too(save, tmp_path):
    save("a.h5", x=np.zeros((1, 2)))
    save("b.hdf5", x=np.zeros((1, 2)))
    assert source(tmp_path).names == ["a.h5/x", "b.hdf5/x"]


def test_one_dataset_of_every_file_can_be_chosen(save, tmp_path):
    for name in ("a.h5", "b.h5"):
        save(name, x=np.full((1, 2), ord(name[0])), y=np.zeros((1, 3)))
    chosen = source(tmp_path, dataset="/x")
    assert (chosen.names, chosen.take(ALL[:2])[1].tolist()) == (["a.h5", "b.h5"], [[98], [98]])


def test_what_there_is_instead_of_the_chosen_dataset(save):
    path = save("a.h5", x=np.zeros(2), g__y=np.zeros(2))
    cause = "there is no such dataset; the file has g/y, x; correct `data.dataset`"
    assert fault(path, dataset="z") == f"{path}/z: {cause}"


def test_texts_beside_the_samples_are_passed_over(save):
    assert source(save("a.h5", x=np.zeros((1, 2)), about="what this is", names=[b"a", b"b"])).names == ["x"]


def test_coordinates_of_netcdf_are_passed_over(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["t"], file["lat"] = np.zeros((1, 4)), np.zeros(4)
        file["lat"].make_scale("lat")
        file["t"].dims[1].attach_scale(file["lat"])
    assert source(tmp_path / "a.nc").names == ["t"]


def test_targets_pair_by_the_names_of_the_datasets(save):
    inputs = source(save("in.h5", b=np.zeros((1, 2)), a=np.zeros((1, 2))))
    targets = source(save("out.h5", a=np.array([0, 0]), b=np.array([1, 1])), "target", inputs)
    assert (targets.meaning, [sample[0, 0] for sample in targets.take(ALL[:2])]) == ("classes", [0, 1])


def test_one_dataset_on_each_side_belong_together_whatever_their_names(save):
    inputs = source(save("in.h5", input=np.zeros((1, 2))))
    assert source(save("out.h5", target=np.zeros(2, int)), "target", inputs).names == ["target"]


def test_windows_are_those_of_the_dataset(save):
    array = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    stored = source(save("a.h5", x=array)).stored(0)
    np.testing.assert_array_equal(stored[1:3, 0:2, 4:5], array[1:3, 0:2, 4:5])


def test_rows_of_a_dataset_are_samples(save):
    path = save("a.h5", x=np.arange(30.0).reshape(5, 1, 2, 3), y=np.arange(5))
    inputs = source(path, dataset="x", samples="rows")
    targets = source(path, "target", inputs, dataset="y", samples="rows")
    wanted = np.array([1, 2, 4, 0])
    assert [sample.ravel()[0] for sample in inputs.take(wanted)] == [6, 12, 24, 0]
    assert [sample.item() for sample in targets.take(wanted)] == [1, 2, 4, 0]


def test_rows_of_several_files_are_called_by_these_too(save, tmp_path):
    save("a.h5", x=np.zeros((2, 3)))
    save("b.h5", x=np.ones((1, 3)))
    rows = source(tmp_path, samples="rows")
    assert (rows.names, rows.blocks) == (["a.h5/x/0", "a.h5/x/1", "b.h5/x/0"], [2, 1])
    assert (rows.locate(2), rows.take(ALL)[2].tolist()) == (f"{tmp_path}/b.h5/x[0]", [1, 1, 1])


def test_worker_processes_read_files_that_are_open_here(save):
    path = save("a.h5", x=np.arange(24.0).reshape(12, 2), y=np.arange(12))
    inputs = source(path, dataset="x", samples="rows")
    targets = source(path, "target", inputs, dataset="y", samples="rows")
    inputs.take(ALL)
    dataset = Dataset(Pipeline(inputs, Part("input")), Pipeline(targets, Part("target")))
    batches = list(Loader(dataset, 5, num_workers=2).epoch(1))
    assert [batch.targets.tolist() for batch in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert batches[2].inputs.tolist() == [[20, 21], [22, 23]]


def foreign(path, other, **keys):
    """Asserts that numbers which lie in another file are refused."""
    message = f"{path}: its numbers lie in another file, `{other}`, and a stranger's file could show any file of yours"
    assert message in fault(path.rpartition(".h5")[0] + ".h5", **keys)


def test_an_external_link_is_refused(save):
    save("b.h5", x=np.zeros(2))
    foreign(save("a.h5", x=h5py.ExternalLink("b.h5", "/x")) + "/x", "b.h5")


def test_an_external_link_behind_a_soft_link_is_refused(save):
    path = save("a.h5", g__e=h5py.ExternalLink("b.h5", "/"), x=h5py.SoftLink("/g/e/x"))
    foreign(path + "/x", "b.h5", dataset="x")


def test_a_soft_link_within_the_file_can_be_chosen(save):
    path = save("a.h5", g__x=np.ones((1, 2)), y=h5py.SoftLink("g/x"))
    assert source(path, dataset="y").take(ALL[:1])[0].tolist() == [[1], [1]]


def test_a_soft_link_to_itself_is_no_dataset(save):
    assert "there is no such dataset" in fault(save("a.h5", x=h5py.SoftLink("/x"), y=np.zeros(2)), dataset="x")


def test_external_storage_is_refused(tmp_path):
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (3,), "u1", external=[("/etc/hostname", 0, 3)])
    foreign(path + "/x", "/etc/hostname")


def test_a_virtual_dataset_is_refused(save, tmp_path):
    save("b.h5", x=np.zeros(2))
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((2,), "f8")
        layout[:] = h5py.VirtualSource("b.h5", "x", (2,))
        file.create_virtual_dataset("x", layout)
    foreign(path + "/x", "b.h5")


def test_groups_that_hold_each_other_have_an_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/x"] = np.zeros((1, 2))
        file["g/back"] = file["/"]
        file["again"] = file["g"]
    assert len(source(tmp_path / "a.h5").names) == 1


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "the file is empty; repair or remove it"),
        (b"hello", "it is no HDF5 file; repair or remove it"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "the HDF5 file is damaged or cut short; repair or remove it"),
        (b"CDF\1....", "it is a NetCDF file of the classic format; convert it: nccopy -k nc4 IN OUT"),
    ],
)
def test_a_file_that_cannot_be_opened_is_told(tmp_path, content, cause):
    (tmp_path / "a.h5").write_bytes(content)
    assert fault(tmp_path / "a.h5") == f"{tmp_path}/a.h5: cannot read this file: {cause}"


def test_a_file_without_datasets_is_told(save):
    assert "a.h5: this file holds no dataset of numbers" in fault(save("a.h5", about="text"))


def test_a_damaged_chunk_is_told(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.random.default_rng(0).normal(size=(1, 4000)), chunks=True, compression="gzip")
        at = file["x"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at : at + 400] = bytes(400)
    path.write_bytes(data)
    assert fault(path) == f"{path}/x: cannot read this array: the file is damaged or cut short; repair or remove it"


def test_complex_numbers_are_told(save):
    assert "x: holds complex numbers" in fault(save("a.h5", x=np.zeros(2, complex)))
