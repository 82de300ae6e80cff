from __future__ import annotations

import io
import re
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.output.plain import PlainConsole, shown
from rmldnn.output.rows import Group, component_rows
from rmldnn.steps import EvalEnd, EvalStep, TrainEnd, TrainStep

BASELINE = Path(__file__).parents[3] / "shared/upstream/smoke_tests/baseline_rmldnn_test.txt"
END = TrainEnd(1, 10, torch.tensor(0.5), 1.0, 0.01)
STAMP = re.compile(r"\[\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.\d{6}\] ")


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def console(stream):
    console = PlainConsole(stream)
    yield console
    console.close()


def lines(stream: io.StringIO) -> list[str]:
    """What was written, without the times (every line must have one)."""
    written = stream.getvalue().splitlines()
    assert all(STAMP.match(line) for line in written)
    return [STAMP.sub("", line, count=1) for line in written]


def train_step(batch=1, num_batches=13, loss=0.70284, data=0.279, compute=0.721):
    return TrainStep(1, 10, batch, num_batches, 16, torch.tensor(loss), torch.tensor(0.51231), data, compute)


def describe_smoke_run(console: PlainConsole) -> None:
    """Says what the original said before the first batch of its smoke test."""

    def dataset(images: int, batch_size: int, batches: int) -> Group:
        return Group(
            [
                ("Type", "images"),
                ("Num images  (total)", images),
                ("Num images  (per process)", images),
                ("Batch size  (requested)", batch_size),
                ("Batch size  (per process)", batch_size),
                ("Num batches (per process)", batches),
                ("Transforms", Group([("resize", [28, 28])])),
            ]
        )

    sgd = {"learning_rate": 0.01, "momentum": 0.5, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    nll = {"weight": None, "ignore_index": None}
    model = [("Model name", "Unknown"), ("Total parameters", 21432), ("Trainable parameters", 21432)]
    console.section("Device(s)", [("CPU", "")])
    console.section("Neural Network", [*model, ("Num of operations", 14)])
    console.section("Optimizer", component_rows("Type", "SGD", sgd), footer=False)
    console.section("Loss", component_rows("Function", "NLL (Negative Log-Likelihood)", nll))
    for part in ("training", "test"):
        console.text(f"Discovering {part} input images...")
        console.text(f"Discovering {part} labels...")
        console.text("Number of class labels: 2")
    console.section("Dataset", [("Training dataset", dataset(200, 16, 13)), ("Test dataset", dataset(20, 64, 1))])


@pytest.mark.skipif(not BASELINE.exists(), reason="the original's log is not at hand")
def test_log_is_that_of_the_original(console, stream, run):
    baseline = [STAMP.sub("", line).rstrip() for line in BASELINE.read_text().splitlines() if STAMP.match(line)]
    describe_smoke_run(console)
    for step in run(epochs=10, batches=13):
        console.consume(step)
    console.finish([])

    def without_results(log: list[str]) -> list[str]:
        return [re.sub(r"\d+\.\d{4}|\d+%", "#", line) for line in log]

    log = without_results(lines(stream))
    result = log.index("------------------- Result ------------------")
    assert [*log[:result], log[-1]] == without_results(baseline[3:])


def test_describes_a_run_in_sections(console, stream):
    console.section("Neural Network", [("Model name", "Unknown"), ("Num of operations", 14)])
    assert lines(stream) == [
        "--------------- Neural Network --------------",
        "   Model name       : Unknown",
        "   Num of operations: 14",
        "---------------------------------------------",
    ]


def test_groups_stand_at_the_margin_and_inner_ones_are_22_wide(console, stream):
    inner = Group([("normalize", {"mean": 0, "std": 0.003921568})])
    console.section("Dataset", [("Test dataset", Group([("Type", "images"), ("Transforms", inner)]))], footer=False)
    assert lines(stream)[1:] == [
        "Test dataset:",
        "   Type: images",
        "   Transforms:",
        "      normalize             : mean: 0, std: 0.00392157",
    ]


def test_verbose_is_the_one_flag_written_as_a_word(console, stream):
    rows = component_rows("Type", "Exponential", {"gamma": 0.5, "verbose": True, "centered": True})
    console.section("Learning rate scheduler", rows, footer=False)
    assert lines(stream) == [
        "---------- Learning rate scheduler ----------",
        "   Type    : Exponential",
        "   Gamma   : 0.5",
        "   Verbose : True",
        "   Centered: 1",
    ]


@pytest.mark.parametrize(("processes", "line"), [(1, "RocketML : 1 MPI process"), (2, "RocketML : 2 MPI processes")])
def test_header_counts_processes(console, stream, processes, line):
    console.header(processes)
    assert lines(stream)[1] == line


def test_header_names_versions(console, stream):
    console.header(1)
    assert re.fullmatch(r"rmldnn \S+ \(torch \S+, Python 3\.\S+, \S+\)", lines(stream)[0])


def test_train_line(console, stream):
    console.consume(train_step())
    assert lines(stream) == [
        "Train Epoch [  1/ 10] : Batch [    1/   13] (Loss = 0.7028; |g| = 0.5123) [Data: 27%; Compute: 72%]"
    ]


def test_train_line_without_times_divides_by_nothing(console, stream):
    console.consume(train_step(data=0.0, compute=0.0))
    assert lines(stream)[0].endswith("[Data: 0%; Compute: 0%]")


def test_a_loss_may_be_no_number(console, stream):
    console.consume(train_step(loss=float("nan")))
    assert "(Loss = nan; |g| = 0.5123)" in lines(stream)[0]


@pytest.mark.parametrize(
    ("loss", "accuracy", "end"),
    [(0.6603, 1.0, "] (Loss: 0.6603) | Accuracy: 1.000"), (0.6603, None, "] (Loss: 0.6603)"), (None, None, "]")],
)
def test_eval_line_ends_with_what_is_known(console, stream, loss, accuracy, end):
    known = [None if value is None else torch.tensor(value) for value in (loss, accuracy)]
    console.consume(EvalStep(1, 10, 1, 1, 20, *known))
    assert lines(stream) == ["Eval  Epoch [  1/ 10] : Batch [    1/    1" + end]


def test_a_rule_follows_training_and_evaluation(console, stream, run):
    for step in run(epochs=1, batches=1):
        console.consume(step)
    assert [line[:5] for line in lines(stream)] == ["Train", "-----", "Eval ", "-----"]


def test_finish_says_where_outputs_lie_before_all_is_done(console, stream):
    console.finish([("Checkpoints", "./model")])
    assert lines(stream)[1:] == ["   Checkpoints: ./model", 45 * "-", "All done (return value = 0)."]


def test_each_line_of_a_text_has_its_time(console, stream):
    console.text("one\ntwo")
    assert lines(stream) == ["one", "two"]


def test_months_are_english_and_time_is_local(console, stream, monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_648_158_252_182_169_999)
    local = time.localtime(1_648_158_252)
    console.text("x")
    assert stream.getvalue() == time.strftime("[2022-Mar-%d %H:%M:%S.182169] x\n", local)


def test_each_line_is_there_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "log.txt"
    with path.open("w") as stream:
        console = PlainConsole(stream)
        console.text("first")
        console.close()
        assert path.read_text().endswith("first\n")


def test_a_name_that_the_stream_cannot_encode_is_escaped(tmp_path):
    path = tmp_path / "log.txt"
    with path.open("w", encoding="ascii") as stream:
        console = PlainConsole(stream)
        console.text("Loading file: größe.npy")
        console.close()
    assert path.read_text().endswith("Loading file: gr\\xf6\\xdfe.npy\n")


@given(st.integers(1, 3000))
def test_an_epoch_has_a_line_for_each_batch_or_each_percent(num_batches):
    assert sum(shown(batch, num_batches) for batch in range(1, num_batches + 1)) == min(num_batches, 100)


@given(st.integers(1, 10**9))
def test_the_last_batch_of_an_epoch_has_a_line(num_batches):
    assert shown(num_batches, num_batches)


def test_no_tensor_is_read_for_a_line_that_is_not_written(console):
    unreadable = torch.empty((), device="meta")
    console.consume(TrainStep(1, 1, 1, 1000, 16, unreadable, unreadable, 0.1, 0.1))


@pytest.fixture
def clock():
    """A clock that is set by hand."""
    return SimpleNamespace(now=0.0)


@pytest.fixture
def timed(stream, clock):
    console = PlainConsole(stream, lambda: clock.now)
    yield console
    with suppress(RuntimeError):  # numbers that cannot be read
        console.close()


UNREADABLE = torch.empty((), device="meta")


def test_numbers_of_a_fast_run_are_read_once_in_a_second(timed, stream, clock):
    timed.consume(train_step(1))
    clock.now += 0.9
    timed.consume(TrainStep(1, 10, 2, 13, 16, UNREADABLE, UNREADABLE, 0.1, 0.1))
    timed.consume(EvalStep(1, 10, 1, 13, 16, UNREADABLE, UNREADABLE))
    assert len(lines(stream)) == 1


def test_a_slow_run_has_each_line_at_once(timed, stream, clock):
    for batch in (1, 2, 3):
        timed.consume(train_step(batch))
        assert len(lines(stream)) == batch
        clock.now += 1.0


def test_a_line_that_waits_is_written_with_a_batch_that_has_no_line(timed, stream, clock):
    for batch in (10, 20):
        timed.consume(train_step(batch, 1000))
    clock.now += 1.0
    timed.consume(TrainStep(1, 10, 21, 1000, 16, UNREADABLE, UNREADABLE, 0.1, 0.1))
    assert [re.search(r"Batch \[ *(\d+)/", line)[1] for line in lines(stream)] == ["10", "20"]


@pytest.mark.parametrize("say", [lambda console: console.text("x"), lambda console: console.consume(END)])
def test_lines_that_wait_stand_before_what_is_said_later(timed, stream, say):
    for batch in (1, 2, 3):
        timed.consume(train_step(batch))
    say(timed)
    assert [line[:5] for line in lines(stream)][:3] == ["Train"] * 3
    assert len(lines(stream)) == 4


def test_lines_that_wait_bear_the_time_at_which_they_were_due(timed, stream, monkeypatch):
    for second in (1, 2, 3):
        monkeypatch.setattr(time, "time_ns", lambda second=second: second * 1_000_000_000)
        timed.consume(train_step(second))
    timed.close()
    assert [line[19:29] for line in stream.getvalue().splitlines()] == ["01.000000]", "02.000000]", "03.000000]"]


def test_lines_that_wait_are_there_when_the_run_breaks_off(timed, stream):
    for batch in (1, 2, 3):
        timed.consume(train_step(batch))
    timed.close()
    assert len(lines(stream)) == 3


def test_metrics_stand_behind_the_evaluation_and_in_the_result():
    stream = io.StringIO()
    console = PlainConsole(stream)
    metrics = {"IoU": torch.tensor(0.5), "IoU/cat": torch.tensor(0.25), "ConfusionMatrix": torch.eye(2)}
    console.consume(EvalEnd(2, 3, 0.1, torch.tensor(1.0), torch.tensor(0.5), metrics))
    console.finish([])
    console.close()
    lines = [line[30:] for line in stream.getvalue().splitlines()]
    assert lines[0] == "Eval  Epoch [  2/  3] : IoU = 0.5000"
    assert [line.split() for line in lines if "IoU" in line][1:] == [["IoU", ":", "0.5000"], ["IoU/cat", ":", "0.2500"]]
    matrix = lines[[line.strip("- ") for line in lines].index("Confusion matrix") :]
    assert [line.split() for line in matrix[2:5]] == [["0", "1"], ["0", "1", "0"], ["1", "0", "1"]]


def test_small_numbers_keep_their_digits_in_the_result():
    stream = io.StringIO()
    console = PlainConsole(stream)
    console.consume(EvalEnd(1, 1, 0.1, torch.tensor(3.2e-7), None, {"MAE": torch.tensor(5.6e-5)}))
    console.finish([])
    console.close()
    rows = [line[30:].split() for line in stream.getvalue().splitlines()]
    assert ["Test", "loss:", "3.20e-07"] in rows
    assert ["MAE", ":", "5.60e-05"] in rows
