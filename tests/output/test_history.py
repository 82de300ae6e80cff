"""History files, and that log files of a run that was killed go on without a gap or a double line."""

from __future__ import annotations

import csv
import json

import pytest
import torch

from rmldnn.errors import ConfigError, RmldnnError
from rmldnn.output.history import History
from rmldnn.output.outfile import Outfile
from rmldnn.steps import EpochEnd, EvalEnd, TrainEnd, TrainStep

METRICS = {
    "IoU": torch.tensor(0.25, dtype=torch.float64),
    "IoU/a, b": torch.tensor(float("nan")),
    "ConfusionMatrix": torch.tensor([[3.0, 1.0], [0.0, float("inf")]]),
}


def feed(consumer, steps):
    for step in steps:
        consumer.consume(step)


def rows(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines(folder):
    def strict(word):
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=strict) for line in (folder / "history.jsonl").read_text().splitlines()]


def timeless(value):
    """Lines without what differs from run to run."""
    return [{key: item for key, item in line.items() if key != "seconds"} for line in value]


@pytest.fixture
def written(tmp_path):
    """Writes steps, and gives the folder."""

    def write(steps, *, train=True, test=True):
        history = History(tmp_path, train, test)
        feed(history, steps)
        history.close()
        return tmp_path

    return write


def test_a_row_for_each_epoch(written, run):
    folder = written(run(epochs=2))
    assert rows(folder) == [
        {
            "epoch": str(epoch),
            "train_loss": str(torch.tensor(0.5 / epoch).item()),
            "learning_rate": "0.01",
            "train_seconds": "3.0",
            "test_loss": str(torch.tensor(0.66031).item()),
            "accuracy": "1.0",
            "test_seconds": "0.5",
        }
        for epoch in (1, 2)
    ]


def test_a_line_for_each_update_and_each_epoch(written, run):
    events = lines(written(run(epochs=2, batches=2)))
    assert [event["event"] for event in events] == ["step", "step", "epoch"] * 2
    first = events[0]
    assert first.pop("seconds") == pytest.approx(1.0, abs=1e-3)  # data and compute seconds of that batch
    assert first == {"event": "step", "epoch": 1, "batch": 1, "loss": pytest.approx(0.7), "grad_norm": 0.5}
    assert events[5]["epoch"] == 2
    assert events[5]["train_loss"] == 0.25


def test_losses_of_updates_are_exact(written, run):
    assert torch.tensor(lines(written(run()))[0]["loss"]) == torch.tensor(0.7)


def test_a_metric_is_a_column_if_it_is_a_number_and_a_line_has_all(written):
    end = EvalEnd(1, 2, 0.5, torch.tensor(0.5), None, METRICS)
    other = EvalEnd(2, 2, 0.5, torch.tensor(0.5), None, {"Other": torch.tensor(1.0)})
    folder = written([end, other], train=False)
    first, second = rows(folder)
    assert list(first)[-2:] == ["IoU", "IoU/a, b"]
    assert (first["IoU"], first["IoU/a, b"], first["accuracy"], first["train_loss"]) == ("0.25", "nan", "", "")
    assert (second["IoU"], second["epoch"]) == ("", "2")
    one, two = lines(folder)
    assert (one["IoU"], one["IoU/a, b"], one["ConfusionMatrix"]) == (0.25, "nan", [[3.0, 1.0], [0.0, "inf"]])
    assert "accuracy" not in one
    assert two["Other"] == 1.0


def test_numbers_that_are_none_are_texts_in_json(written):
    nothing = torch.tensor(float("nan"))
    step = TrainStep(1, 1, 1, 1, 16, nothing, torch.tensor(float("-inf")), 0.1, 0.1)
    folder = written([step, TrainEnd(1, 1, nothing, 1.0, 0.1)], test=False)
    update, epoch = lines(folder)
    assert (update["loss"], update["grad_norm"], epoch["train_loss"]) == ("nan", "-inf", "nan")
    assert rows(folder)[0]["train_loss"] == "nan"


@pytest.mark.parametrize(("train", "test"), [(True, False), (False, True), (True, True)])
def test_whatever_a_run_does_there_is_one_row_for_each_epoch(written, run, train, test):
    steps = [step for step in run(epochs=3, train=train) if test or not isinstance(step, EvalEnd)]
    folder = written(steps, train=train, test=test)
    assert [row["epoch"] for row in rows(folder)] == ["1", "2", "3"]
    assert [line["epoch"] for line in lines(folder) if line["event"] == "epoch"] == [1, 2, 3]


def test_a_run_that_breaks_off_in_an_evaluation_leaves_what_is_known(written, run):
    folder = written([step for step in run(epochs=1) if not isinstance(step, (EvalEnd, EpochEnd))])
    assert (rows(folder)[0]["train_loss"], rows(folder)[0]["test_loss"]) == ("0.5", "")


def test_tensors_are_not_read_at_each_step(tmp_path):
    history = History(tmp_path, True, True)
    readable, unreadable = torch.tensor(0.5), torch.empty((), device="meta")
    history.consume(TrainStep(1, 1, 1, 9, 16, readable, readable, 0.1, 0.1))
    history.consume(TrainStep(1, 1, 2, 9, 16, unreadable, unreadable, 0.1, 0.1))
    with pytest.raises(RuntimeError):
        history.close()


def test_a_folder_that_cannot_be_written_is_a_fault_of_the_configuration(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^run_folder: cannot write to `.*/history.jsonl`: a file is in the place"):
        History(tmp_path / "file", True, True)


def test_no_room_for_the_lines_is_told_before_the_training(tmp_path):
    with pytest.raises(ConfigError, match=r"^run_folder: `.*` has room for .*B, but rows of `history.jsonl` need "):
        History(tmp_path, True, True, updates=10**15)


def test_a_full_disk_leaves_whole_lines(tmp_path, run, disk):
    history = History(tmp_path, True, True)
    with disk(250), pytest.raises(RmldnnError, match=r"^cannot write to `.*/history\.jsonl`: File too large"):
        feed(history, run(epochs=1, batches=9))
    history.close()
    assert {line["event"] for line in lines(tmp_path)} == {"step"}


class Both:
    """All log files of a run."""

    def __init__(self, folder):
        self.folder = folder
        self.files = [History(folder, True, True), Outfile(str(folder / "out.txt"))]

    def consume(self, step):
        for file in self.files:
            file.consume(step)

    def state_dict(self):
        return [file.state_dict() for file in self.files]

    def load_state_dict(self, state):
        for file, part in zip(self.files, state, strict=True):
            file.load_state_dict(part)

    def close(self):
        for file in self.files:
            file.close()

    def content(self):
        train = [row.split()[1:] for row in (self.folder / "out_train.txt").read_text().splitlines()]
        test = (self.folder / "out_test.txt").read_text()
        return rows(self.folder), timeless(lines(self.folder)), train, test


# Of the seven steps of an epoch, states are saved at updates, in the evaluation (of a run that leaves), at the end.
@pytest.mark.parametrize("saved", [1, 2, 3, 5, 7, 8, 10, 12, 14, 17, 21])
@pytest.mark.parametrize("further", [0, 3, 9])
def test_after_a_kill_and_a_resume_there_is_no_gap_and_no_double_line(tmp_path, run, saved, further):
    steps = list(run(epochs=3, batches=3))
    whole = Both(tmp_path / "whole")
    feed(whole, steps)
    whole.close()

    killed = Both(tmp_path / "killed")
    feed(killed, steps[:saved])
    state = json.loads(json.dumps(killed.state_dict()))  # plain values only
    feed(killed, steps[saved : saved + further])
    killed.close()

    # What goes on is what the loop repeats: an epoch's end of training comes again, wherever its evaluation broke off.
    position = saved
    while position and not isinstance(steps[position - 1], (TrainStep, EpochEnd)):
        position -= 1
    resumed = Both(tmp_path / "killed")
    resumed.load_state_dict(state)
    feed(resumed, steps[position:])
    resumed.close()
    assert resumed.content() == whole.content()


def test_seconds_go_on_counting(tmp_path, run):
    steps = list(run(epochs=1, batches=4))
    first = Both(tmp_path)
    feed(first, steps[:2])
    state = first.state_dict()
    first.close()
    assert state[0]["seconds"] == pytest.approx(1.0, abs=0.5)
    second = Both(tmp_path)
    second.load_state_dict(state)
    feed(second, steps[2:])
    second.close()
    times = [line["seconds"] for line in lines(tmp_path) if line["event"] == "step"]
    assert times == sorted(times)
    assert times[2] == pytest.approx(state[0]["seconds"] + 1.0, abs=1e-3)
    times = [float(row.split()[0]) for row in (tmp_path / "out_train.txt").read_text().splitlines()[1:]]
    assert times[2] == pytest.approx(state[1]["seconds"] + 1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["history.csv", "history.jsonl", "out_train.txt", "out_test.txt"])
@pytest.mark.parametrize(("content", "found"), [(None, "is missing or empty"), ("x", "has 1 bytes")])
def test_a_file_that_lost_what_it_had_is_told(tmp_path, run, name, content, found):
    first = Both(tmp_path)
    feed(first, run())
    state = first.state_dict()
    first.close()
    (tmp_path / name).unlink()
    if content:
        (tmp_path / name).write_text(content)
    second = Both(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"^(outfile|run_folder): cannot go on in `.*/{name}`: it {found}, not the \d+"
    ):
        second.load_state_dict(state)
    second.close()


def test_a_file_that_the_earlier_run_did_not_have_begins_anew(tmp_path, run):
    first = Outfile(str(tmp_path / "out.txt"), test=False)
    feed(first, run(epochs=1))
    state = first.state_dict()
    first.close()
    (tmp_path / "out_test.txt").write_text("of another run\n")
    second = Outfile(str(tmp_path / "out.txt"))
    second.load_state_dict(state)
    second.close()
    assert (tmp_path / "out_test.txt").read_text() == ""
    assert len((tmp_path / "out_train.txt").read_text().splitlines()) == 4


def test_metrics_that_come_later_are_told_once(tmp_path, caplog):
    ends = [EvalEnd(n, 3, 0.5, torch.tensor(0.5), None, {name: torch.tensor(1.0)}) for n, name in ((1, "a"), (2, "b"))]
    first = History(tmp_path, False, True)
    feed(first, ends[:1])
    state = first.state_dict()
    first.close()
    assert not caplog.messages
    second = History(tmp_path, False, True)
    second.load_state_dict(state)
    feed(second, [ends[1], ends[1]])
    second.close()
    (message,) = caplog.messages
    assert message == f"`{tmp_path}/history.csv` was begun without `b`: find them in `{tmp_path}/history.jsonl`"
    assert lines(tmp_path)[1]["b"] == 1.0
