import json
import sys

import numpy as np
import pytest

from rmldnn.data.loader import Loader
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Side
from rmldnn.data.sources.zarr import zarr as zarr_source
from rmldnn.data.transform import Part
from rmldnn.errors import ConfigError, DataError

zarr = pytest.importorskip("zarr")

FIRST = np.arange(1)
ARRAY = np.arange(32, dtype=np.float32).reshape(2, 4, 4)


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def save(request, tmp_path):
    """Writes an array in either version of the format."""

    def save(name, array=ARRAY, **keys):
        made = zarr.create_array(
            str(tmp_path / name),
            shape=array.shape,
            dtype=array.dtype,
            chunks=tuple(min(extent, 2) for extent in array.shape),
            zarr_format=request.param,
            **keys,
        )
        made[...] = array
        return str(tmp_path / name)

    return save


def source(path, role="input", inputs=None, **keys):
    return zarr_source(Side("train", role, str(path), inputs), **keys)


def fault(path, **keys):
    with pytest.raises(DataError) as caught:
        source(path, **keys).take(FIRST)
    return str(caught.value)


def description(folder):
    """The file that says what an array is."""
    return next(path for name in (".zarray", "zarr.json") if (path := folder / name).exists())


def test_the_log_tells_what_is_being_discovered(save, said):
    source(save("a.zarr"))
    assert said() == ["Discovering training input Zarr samples..."]


def test_a_store_that_is_an_array_is_called_by_its_folder(save):
    assert source(save("a.zarr")).names == ["a.zarr"]


def test_arrays_of_groups_and_folders_are_called_by_their_paths(save, tmp_path):
    for name in ("s/a.zarr/x", "s/a.zarr/g/y", "s/b.zarr"):
        save(name)
    assert source(tmp_path / "s").names == ["a.zarr/g/y", "a.zarr/x", "b.zarr"]


def test_a_group_as_zarr_writes_it(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_array("x", data=ARRAY)
    assert source(tmp_path / "a.zarr").names == ["x"]


def test_arrays_of_one_name_can_be_chosen(save, tmp_path):
    for name in ("s/a.zarr/0", "s/a.zarr/1", "s/b.zarr/0"):
        save(name)
    assert source(tmp_path / "s", dataset="0").names == ["a.zarr", "b.zarr"]


def test_one_array_of_a_store_can_be_chosen(save, tmp_path):
    for name in ("a.zarr/0", "a.zarr/1"):
        save(name)
    assert source(tmp_path / "a.zarr", dataset="1").locate(0) == f"{tmp_path}/a.zarr/1"


def test_windows_are_those_of_the_array(save):
    np.testing.assert_array_equal(source(save("a.zarr")).stored(0)[0:2, 1:4, 3:4], ARRAY[0:2, 1:4, 3:4])


def test_channels_are_first_in_the_array_and_last_in_the_sample(save):
    np.testing.assert_array_equal(source(save("a.zarr")).take(FIRST)[0], np.moveaxis(ARRAY, 0, -1))


def test_rows_of_an_array_are_samples(save):
    rows = source(save("a.zarr"), samples="rows")
    assert (rows.names, rows.take(np.array([1]))[0].shape) == (["0", "1"], (4, 4))


def test_integers_without_channels_are_classes(save):
    inputs = source(save("in.zarr"))
    assert source(save("out.zarr", ARRAY[0].astype(int)), "target", inputs).meaning == "classes"


def test_worker_processes_read_arrays_that_are_open_here(save):
    rows = source(save("a.zarr", np.arange(12.0).reshape(6, 2)), samples="rows")
    rows.take(FIRST)
    batches = list(Loader(Dataset(Pipeline(rows, Part("input"))), 3, num_workers=2).epoch(1))
    assert [batch.inputs[:, 0].tolist() for batch in batches] == [[0, 2, 4], [6, 8, 10]]


def test_pickled_objects_are_refused_for_they_could_run_code(save, tmp_path):
    save("a.zarr")
    file = description(tmp_path / "a.zarr")
    described = json.loads(file.read_text())
    described["filters" if file.name == ".zarray" else "codecs"] = [{"id": "pickle", "name": "numcodecs.pickle"}]
    file.write_text(json.dumps(described))
    assert "a.zarr: holds Python objects, and unpacking them could run" in fault(tmp_path / "a.zarr")


def test_a_damaged_chunk_is_told(save, tmp_path):
    save("a.zarr")
    file = description(tmp_path / "a.zarr")
    for chunk in (tmp_path / "a.zarr").rglob("*"):
        if chunk.is_file() and chunk != file and not chunk.name.startswith(".z"):
            chunk.write_bytes(b"damaged")
    assert fault(tmp_path / "a.zarr").endswith(
        "cannot read this array: the file is damaged or cut short; repair or remove it"
    )


@pytest.mark.parametrize(("content", "cause"), [("{", "this file is no JSON"), ("{}", "its description is damaged")])
def test_a_damaged_description_is_told(save, tmp_path, content, cause):
    save("a.zarr")
    description(tmp_path / "a.zarr").write_text(content)
    assert f"cannot read this array: {cause}" in fault(tmp_path / "a.zarr")


def test_a_folder_without_arrays_is_told(tmp_path):
    assert fault(tmp_path).startswith(f"data.input_path: no Zarr array in `{tmp_path}` or below")


def test_a_path_that_leads_nowhere_is_told(tmp_path):
    assert fault(tmp_path / "x").startswith(f"data.input_path: `{tmp_path}/x` does not exist")


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert "is a file; a Zarr store is a folder" in fault(tmp_path / "x")


def test_a_link_is_not_entered(save, tmp_path):
    save("s/a.zarr")
    (tmp_path / "s" / "loop").symlink_to(tmp_path / "s")
    assert source(tmp_path / "s").names == ["a.zarr"]


def test_what_to_install_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"needs the package `zarr`; install it by: pip install 'rmldnn\[zarr\]'"):
        source(tmp_path)
