from __future__ import annotations

import io
import re

import pytest
import torch
from rich.console import Console as Screen

from rmldnn.output.epochs import EpochTable
from rmldnn.output.rows import Group
from rmldnn.output.terminal import TerminalConsole
from rmldnn.steps import EpochEnd, EvalEnd, EvalStep, TrainEnd, TrainStep


class Shown:
    """A console on a screen of which everything is kept."""

    def __init__(self, width: int = 80, **settings) -> None:
        self.screen = Screen(file=io.StringIO(), width=width, force_terminal=True, record=True, **settings)
        self.console = TerminalConsole(self.screen)

    @property
    def text(self) -> str:
        """What stays on the screen, less colours; the bars, which are drawn over, are not part of it."""
        return self.screen.export_text(clear=False)

    @property
    def drawn(self) -> str:
        """Everything that was sent to the terminal."""
        return self.screen.file.getvalue()


@pytest.fixture
def shown():
    shown = Shown()
    yield shown
    shown.console.close()


@pytest.fixture
def narrow():
    shown = Shown(width=40)
    yield shown
    shown.console.close()


def dataset(images: int) -> Group:
    return Group([("Num images  (total)", images), ("Transforms", Group([("resize", [28, 28])]))])


def test_a_section_stands_beside_its_title(shown):
    shown.console.section("Neural Network", [("Model name", "Unknown"), ("Nesterov", False)])
    assert [line.rstrip() for line in shown.text.splitlines()] == [
        "Neural Network    Model name  Unknown",
        "                  Nesterov    no",
        "",
    ]


def test_groups_stand_side_by_side(shown):
    shown.console.section("Dataset", [("Training dataset", dataset(200)), ("Test dataset", dataset(20))])
    assert [line.split() for line in shown.text.splitlines() if "Num" in line or "resize" in line] == [
        ["Num", "images", "(total)", "200", "20"],
        ["resize", "[28,", "28]", "[28,", "28]"],
    ]


def test_groups_follow_each_other_where_it_is_narrow(narrow):
    narrow.console.section("Dataset", [("Training dataset", dataset(200)), ("Test dataset", dataset(20))])
    assert [line.split()[-1] for line in narrow.text.splitlines() if "Num" in line] == ["200", "20"]


def test_a_transform_may_occur_twice(shown):
    shown.console.section("Dataset", [("Transforms", Group([("normalize", "a"), ("normalize", "b")]))])
    assert shown.text.count("normalize") == 2


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_nothing_is_wider_than_the_screen(width, run):
    shown = Shown(width=width)
    shown.console.header(2)
    shown.console.section("Dataset", [("Training dataset", dataset(200)), ("Test dataset", dataset(20))])
    shown.console.section("Device(s)", [("Location", "./a/very/long/path/without/any/blank/that/has/to/be/folded")])
    for step in run(epochs=3):
        shown.console.consume(step)
    shown.console.finish([("Checkpoints", "./models/model_checkpoint_3.pt")])
    shown.console.close()
    assert max(map(len, shown.text.splitlines())) <= width


def test_markup_in_texts_is_shown_as_it_is(shown):
    shown.console.text("[bold]Slicer: [64, 64] :smile:")
    assert "[bold]Slicer: [64, 64] :smile:" in shown.text


def test_an_epoch_adds_a_line_to_the_table(shown, run):
    for step in run(epochs=2, loss=0.66031, accuracy=0.9):
        shown.console.consume(step)
    shown.console.finish([])
    table = [line.split() for line in shown.text.splitlines() if re.match(r" +[12] ", line)]
    assert table == [
        ["1", "0.5000", "0.6603", "0.900", "0.01", "3.50", "s"],
        ["2", "0.2500", "0.6603", "0.900", "0.01", "3.50", "s"],
    ]


def test_columns_that_a_run_does_not_know_are_left_out(shown, run):
    for step in run(epochs=1, loss=None, accuracy=None):
        shown.console.consume(step)
    shown.console.finish([])
    assert re.search(r"^ +Epoch +Train loss +Learning rate +Time *$", shown.text, re.MULTILINE)


def test_bars_show_numbers_of_the_batch(shown):
    shown.console.consume(TrainStep(3, 10, 5, 10, 16, torch.tensor(0.5021), torch.tensor(1.5), 0.5, 0.5))
    assert re.search(r"Epoch 3/10 .+ 50%(.|\n)+Run .+ 6%(.|\n)+loss .*0.5021", shown.drawn)


def test_evaluation_shows_its_accuracy(shown):
    shown.console.consume(EvalStep(1, 1, 1, 2, 16, torch.tensor(0.5), torch.tensor(0.875)))
    assert re.search(r"Test 1/1 .+ 50%(.|\n)+accuracy .*0.875", shown.drawn)


def test_tensors_are_read_at_most_a_few_times_a_second(shown):
    readable, unreadable = torch.tensor(0.5), torch.empty((), device="meta")
    shown.console.consume(TrainStep(1, 1, 1, 1000, 16, readable, readable, 0.1, 0.1))
    shown.console.consume(TrainStep(1, 1, 2, 1000, 16, unreadable, unreadable, 0.1, 0.1))


def test_summary_tells_a_better_epoch(shown):
    for epoch, loss in ((1, 0.2), (2, 0.4)):
        shown.console.consume(TrainEnd(epoch, 2, torch.tensor(loss), 1.0, 0.1))
        shown.console.consume(EvalEnd(epoch, 2, 1.0, torch.tensor(loss), torch.tensor(0.5)))
        shown.console.consume(EpochEnd(epoch, 2, epoch == 2))
    shown.console.finish([])
    assert re.search(r"Test loss +0.4000  \(best 0.2000 in epoch 1\)", shown.text)


def test_finish_says_where_outputs_lie(shown):
    shown.console.finish([("Checkpoints", "./model/model_checkpoint_1.pt")])
    assert re.search(r"Output +Checkpoints +./model/model_checkpoint_1.pt", shown.text)


def test_a_run_that_breaks_off_gives_the_cursor_back(shown):
    shown.console.consume(TrainStep(1, 1, 1, 2, 16, torch.tensor(0.5), torch.tensor(0.5), 0.1, 0.1))
    shown.console.close()
    assert shown.drawn.rindex("\x1b[?25h") > shown.drawn.rindex("\x1b[?25l")


def test_no_color_is_respected(run):
    shown = Shown(no_color=True)
    for step in run():
        shown.console.consume(step)
    shown.console.finish([])
    shown.console.close()
    assert not re.search(r"\x1b\[(\d+;)*3\dm", shown.drawn)


METRICS = ("IoU", "IoU/cat", "IoU_micro", "Precision", "Recall")


def test_metrics_are_columns_while_there_is_room():
    end = EvalEnd(1, 1, 0.5, torch.tensor(0.5), torch.tensor(0.9), {name: torch.tensor(0.25) for name in METRICS})
    titles, line = EpochTable().lines([TrainEnd(1, 1, torch.tensor(0.7), 1.0, 0.1), end], width=90)
    assert titles.plain.split()[-3:] == ["IoU", "IoU_micro", "Time"]
    assert line.plain.split()[-4:-2] == ["0.250", "0.250"]
    assert len(titles.plain) == len(line.plain) <= 90


def test_numbers_of_single_classes_and_small_ones_are_among_the_results(shown):
    metrics = {"IoU": torch.tensor(0.5), "IoU/cat": torch.tensor(0.25), "IoU/dog": torch.tensor(float("nan"))}
    metrics["MAE"] = torch.tensor(3.2e-7)
    shown.console.consume(EvalEnd(1, 1, 0.5, torch.tensor(3.2e-7), None, metrics))
    shown.console.finish([])
    rows = [line.split()[-2:] for line in shown.text.partition("Done")[2].splitlines()]
    assert ["IoU/cat", "0.250"] in rows
    assert ["IoU/dog", "nan"] in rows
    assert ["MAE", "3.2e-07"] in rows
    assert ["loss", "3.20e-07"] in rows
    assert "IoU/cat" not in shown.text.partition("Done")[0]


def test_small_losses_are_shown_while_they_run(shown):
    shown.console.consume(TrainStep(1, 1, 1, 2, 16, torch.tensor(3.2e-7), torch.tensor(4e-5), 0.1, 0.1))
    assert "3.20e-07" in shown.drawn
    assert "4.00e-05" in shown.drawn


def test_the_confusion_matrix_is_a_table(shown):
    matrix = torch.tensor([[8.0, 2.0], [0.0, 1500.0]])
    shown.console.consume(EvalEnd(1, 1, 0.5, torch.tensor(0.5), None, {"ConfusionMatrix": matrix}, ["cat", "dog"]))
    shown.console.finish([])
    rows = [line.split() for line in shown.text.partition("Confusion matrix")[2].splitlines()]
    assert rows[2:5] == [["0", "1"], ["0", "cat", "8", "2"], ["1", "dog", "0", "1500"]]
