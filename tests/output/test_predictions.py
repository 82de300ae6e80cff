from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.component import form
from rmldnn.errors import ConfigError, DataError, RmldnnError
from rmldnn.output.predictions import predictions
from rmldnn.output.samples import _parts
from rmldnn.steps import EvalEnd, EvalStep

END = EvalEnd(1, 1, 1.0)


def step(names, output, epoch=1):
    return EvalStep(epoch, 1, 1, 1, len(names), names=names, predictions=output)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "predictions"


@pytest.fixture
def writer(folder):
    writer = predictions(test_output_path=str(folder))
    yield writer
    writer.close()


def test_each_sample_is_a_dataset_without_batch_axis(writer, folder):
    output = torch.rand(2, 3, 4, 5)
    writer.consume(step(["a.jpg", "b.jpg"], output))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert np.array_equal(file["b.jpg"], output[1])


def test_memory_layout_does_not_matter(writer, folder):
    output = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    writer.consume(step(["a.jpg", "b.jpg"], output))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert np.array_equal(file["a.jpg"], output[0])


def test_folders_are_groups(writer, folder):
    writer.consume(step(["River/x/1.jpg", "Forest/2.jpg", "3.jpg"], torch.rand(3, 10)))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert [list(file), list(file["River"]), list(file["River/x"])] == [
            ["3.jpg", "Forest", "River"],
            ["x"],
            ["1.jpg"],
        ]


def test_batches_of_an_evaluation_share_a_file(writer, folder):
    writer.consume(step(["x/a.jpg"], torch.rand(1, 10)))
    writer.consume(step(["x/b.jpg"], torch.rand(1, 10)))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert list(file["x"]) == ["a.jpg", "b.jpg"]


def test_each_epoch_has_its_file(writer, folder):
    for epoch in (1, 2):
        writer.consume(step(["a.jpg"], torch.rand(1, 10), epoch))
        writer.consume(END)
    assert sorted(path.name for path in folder.iterdir()) == ["output_1.h5", "output_2.h5"]


@pytest.mark.parametrize(("precision", "kind"), [("single", np.float32), ("half", np.float16)])
@pytest.mark.parametrize("given", [torch.float32, torch.float64, torch.bfloat16])
def test_precision_is_what_the_user_chose(folder, precision, kind, given):
    writer = predictions(test_output_path=str(folder), hdf5_precision=precision)
    writer.consume(step(["a.jpg"], torch.ones(1, 10, dtype=given)))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert file["a.jpg"].dtype == kind


def test_names_may_be_in_any_script(writer, folder):
    writer.consume(step(["größe/雲.jpg"], torch.rand(1, 10)))
    writer.consume(END)
    with h5py.File(folder / "output_1.h5") as file:
        assert list(file["größe"]) == ["雲.jpg"]


def test_files_are_in_the_format_of_hdf5_1_8(writer, folder):
    writer.consume(step(["a.jpg"], torch.rand(1, 10)))
    writer.consume(END)
    superblock_version = (folder / "output_1.h5").read_bytes()[8]
    assert superblock_version == 0


def test_no_file_has_its_name_before_it_is_complete(writer, folder):
    writer.consume(step(["a.jpg"], torch.rand(1, 10)))
    assert not (folder / "output_1.h5").exists()


def test_an_evaluation_that_breaks_off_leaves_the_older_file_alone(writer, folder):
    (folder / "output_1.h5").write_bytes(b"older")
    writer.consume(step(["a.jpg"], torch.rand(1, 10)))
    writer.close()
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("output_1.h5", b"older")]


@pytest.mark.parametrize("names", [["a.jpg", "a.jpg"], ["a", "a/b.jpg"], ["a/b.jpg", "a"]])
def test_samples_that_would_share_a_place_are_an_error(writer, names):
    with pytest.raises(DataError, match=rf"^`{names[1]}`: another test sample has the same place"):
        writer.consume(step(names, torch.rand(2, 10)))


@given(st.text(alphabet="a./\\é", max_size=12))
def test_no_name_leads_out_of_the_file(name):
    try:
        parts = _parts(name)
    except DataError:
        return
    assert parts
    assert not {b"", b".", b".."} & set(parts)
    assert not any(b"/" in part for part in parts)


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = predictions()
    writer.consume(step(["a.jpg"], torch.rand(1, 10)))
    writer.consume(END)
    assert (list(tmp_path.iterdir()), writer.rows, writer.outputs) == ([], [], [])


def test_an_epoch_without_predictions_writes_nothing(writer, folder):
    writer.consume(EvalStep(1, 1, 1, 1, 16))
    writer.consume(END)
    assert list(folder.iterdir()) == []


def test_rows_describe_the_output(tmp_path):
    writer = predictions(test_output_path=f"{tmp_path}/", hdf5_precision="half")
    assert writer.rows == [("Location", f"{tmp_path}/"), ("Floating-point format", "half (16-bit)")]


def test_the_last_file_is_reported(writer, folder):
    writer.consume(step(["a.jpg"], torch.rand(1, 10), 7))
    writer.consume(EvalEnd(7, 7, 1.0))
    assert writer.outputs == [("Predictions", str(folder / "output_7.h5"))]


@pytest.mark.parametrize("place", ["file", "file/x"])
def test_a_folder_that_cannot_be_made_is_a_fault_of_the_configuration(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigError, match=rf"^data\.test_output_path: cannot write to `.*/{place}`: a file is in the place"
    ):
        predictions(test_output_path=str(tmp_path / place))


def test_users_write_these_keys():
    keys = ["test_output_path", "hdf5_outfile", "hdf5_precision", "blend", "channels"]
    assert list(form(predictions).parameters) == keys


@pytest.mark.parametrize("size", [0, 50, 3000, 6000])
@pytest.mark.parametrize(("count", "values"), [(1, 10_000), (500, 10)])
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_none(writer, folder, disk, size, count, values):
    names = [f"{index // 10}/{index}.jpg" for index in range(count)]
    with disk(size), pytest.raises(RmldnnError, match=r"^cannot write to `.*/output_1\.h5`: File too large") as error:
        writer.consume(step(names, torch.rand(count, values)))
        writer.consume(END)
    writer.close()
    assert (error.value.exit_code, list(folder.iterdir())) == (1, [])


def test_a_disk_that_is_full_in_the_end_leaves_no_file(writer, folder, disk):
    writer.consume(step(["a.jpg"], torch.rand(1, 10)))
    with disk(100), pytest.raises(RmldnnError, match=r"^cannot write to `.*/output_1\.h5`: File too large"):
        writer.consume(END)
    writer.close()
    assert list(folder.iterdir()) == []


def test_a_folder_that_vanished_is_an_error(writer, folder):
    folder.rmdir()
    with pytest.raises(RmldnnError, match=r"^cannot write to `.*/output_1\.h5`: No such file or directory"):
        writer.consume(step(["a.jpg"], torch.rand(1, 10)))


def test_no_room_for_predictions_is_told_before_the_run(tmp_path):
    made = predictions(test_output_path=str(tmp_path), hdf5_precision="half")
    made.require_room(100, (2, 28, None), 10**12)  # nobody knows
    made.require_room(100, (2, 28, 28), 1)
    with pytest.raises(ConfigError, match=r"^data.test_output_path: `.*` has room for .*, but predictions of this run"):
        made.require_room(100, (2, 28, 28), 10**12)
