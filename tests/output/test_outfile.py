from __future__ import annotations

import re

import pytest
import torch

from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.output.outfile import Outfile
from rmldnn.steps import EpochEnd, TrainStep


def write(path, steps):
    outfile = Outfile(str(path))
    for step in steps:
        outfile.consume(step)
    outfile.close()


def test_training_file_has_a_row_for_each_batch(tmp_path, run):
    write(tmp_path / "out.txt", run(epochs=2, batches=2))
    head, *rows = (tmp_path / "out_train.txt").read_text().splitlines()
    assert head == "# time epoch_fraction epoch batch loss grad_norm"
    assert [row.split()[1:] for row in rows] == [
        ["0.500000", "1", "1", "0.7", "0.5"],
        ["1.000000", "1", "2", "0.35", "0.5"],
        ["1.500000", "2", "1", "0.7", "0.5"],
        ["2.000000", "2", "2", "0.35", "0.5"],
    ]


def test_time_starts_with_the_first_batch_and_grows(tmp_path, run):
    write(tmp_path / "out.txt", run(batches=50))
    times = [float(row.split()[0]) for row in (tmp_path / "out_train.txt").read_text().splitlines()[1:]]
    assert times[0] == pytest.approx(1.0, abs=1e-3)  # data and compute seconds of that batch
    assert times == sorted(times)


def test_scripts_written_for_the_original_read_the_test_file(tmp_path, run):
    write(tmp_path / "out.txt", run(epochs=2, accuracy=0.9375))
    numbers = [re.findall(r"[0-9]*\.?[0-9]+", line) for line in (tmp_path / "out_test.txt").read_text().splitlines()]
    assert [(int(line[0]), float(line[-1])) for line in numbers] == [(1, 0.938), (2, 0.938)]


@pytest.mark.parametrize(
    ("loss", "accuracy", "line"),
    [
        (0.6603, 1.0, "Epoch: 1  Loss: 0.6603  Accuracy: 1.000\n"),
        (0.6603, None, "Epoch: 1  Loss: 0.6603\n"),
        (None, None, "Epoch: 1\n"),
    ],
)
def test_a_line_of_the_test_file_tells_what_is_known(tmp_path, run, loss, accuracy, line):
    write(tmp_path / "out.txt", run(epochs=1, loss=loss, accuracy=accuracy))
    assert (tmp_path / "out_test.txt").read_text() == line


def test_an_older_history_is_overwritten_by_the_first_step_and_not_before(tmp_path):
    (tmp_path / "out_test.txt").write_text("Epoch: 9  Loss: 0.1  Accuracy: 1.000\n")
    outfile = Outfile(str(tmp_path / "out.txt"))
    assert (tmp_path / "out_test.txt").read_text() != ""
    outfile.consume(EpochEnd(1, 1, True))
    outfile.close()
    assert (tmp_path / "out_test.txt").read_text() == ""


def test_a_run_without_training_leaves_the_training_history_alone(tmp_path):
    (tmp_path / "out_train.txt").write_text("0.1 0.5 1 1 0.7 0.5\n")
    Outfile(str(tmp_path / "out.txt"), train=False).close()
    assert (tmp_path / "out_train.txt").read_text() == "0.1 0.5 1 1 0.7 0.5\n"


@pytest.mark.parametrize(("name", "file"), [("out.txt", "out_train.txt"), ("out", "out_train.txt")])
def test_names_follow_the_outfile(tmp_path, name, file):
    outfile = Outfile(str(tmp_path / "new/folder" / name))
    outfile.close()
    assert outfile.outputs[0] == ("Training history", str(tmp_path / "new/folder" / file))


def test_rows_held_back_are_written_when_the_run_breaks_off(tmp_path):
    step = TrainStep(1, 1, 1, 9, 16, torch.tensor(0.5), torch.tensor(0.25), 0.1, 0.1)
    write(tmp_path / "out.txt", [step, step, step])
    assert len((tmp_path / "out_train.txt").read_text().splitlines()) == 4


def test_tensors_are_not_read_at_each_step(tmp_path):
    outfile = Outfile(str(tmp_path / "out.txt"))
    readable, unreadable = torch.tensor(0.5), torch.empty((), device="meta")
    outfile.consume(TrainStep(1, 1, 1, 9, 16, readable, readable, 0.1, 0.1))
    outfile.consume(TrainStep(1, 1, 2, 9, 16, unreadable, unreadable, 0.1, 0.1))
    with pytest.raises(RuntimeError):
        outfile.close()


def test_a_place_that_cannot_be_written_is_a_fault_of_the_configuration(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^outfile: cannot write to `.*file/out_train.txt`: a file is in"):
        Outfile(str(tmp_path / "file" / "out.txt"))


def test_no_room_for_the_rows_is_told_before_the_training(tmp_path):
    with pytest.raises(ConfigError, match=r"^outfile: `.*` has room for .*B, but rows of `out_train.txt` need about "):
        Outfile(str(tmp_path / "out.txt"), updates=10**15)


@pytest.mark.parametrize("size", [60, 150, 157])
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_whole_rows(tmp_path, run, disk, size):
    outfile = Outfile(str(tmp_path / "out.txt"))
    with disk(size), pytest.raises(RmldnnError, match=r"^cannot write to `.*/out_train\.txt`: File too large") as error:
        for step in run(epochs=1, batches=9):
            outfile.consume(step)
    outfile.close()
    text = (tmp_path / "out_train.txt").read_bytes()
    assert (error.value.exit_code, text[-1:], len(text) <= size) == (1, b"\n", True)
    assert all(len(row.split()) == 6 for row in text.splitlines()[1:])


def test_a_full_disk_for_the_test_file_is_an_error_that_names_it(tmp_path, run, disk):
    outfile = Outfile(str(tmp_path / "out.txt"), train=False)
    with disk(60), pytest.raises(RmldnnError, match=r"^cannot write to `.*/out_test\.txt`: File too large"):
        for step in run(train=False):
            outfile.consume(step)
    outfile.close()
    assert (tmp_path / "out_test.txt").read_text() == "Epoch: 1  Loss: 0.6603  Accuracy: 1.000\n"
