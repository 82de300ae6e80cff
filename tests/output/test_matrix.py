import pytest
import torch

from rmldnn.output.matrix import matrix_lines
from rmldnn.steps import EvalEnd


def lines(matrix, classes=()):
    return matrix_lines(EvalEnd(1, 1, 0.5, metrics={"ConfusionMatrix": matrix}, classes=classes))


def test_columns_stand_below_each_other():
    assert lines(torch.tensor([[8.0, 2.0], [0.0, 1500.0]]), ["cat", "horse"]) == [
        "rows: the true class; columns: what it was taken for",
        "         0     1",
        "0 cat    8     2",
        "1 horse  0  1500",
    ]


def test_classes_without_names_are_called_by_their_index():
    assert [line.split() for line in lines(torch.eye(2))[1:]] == [["0", "1"], ["0", "1", "0"], ["1", "0", "1"]]


def test_labels_have_a_line_each():
    head, row, _ = lines(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]] * 2), ["red", "round"])[1:]
    assert [title.strip() for title in head.split("  ")[-4:]] == ["right no", "wrong yes", "wrong no", "right yes"]
    assert row.split() == ["0", "red", "1", "2", "3", "4"]


@pytest.mark.parametrize(("classes", "shown"), [(20, True), (21, False)])
def test_only_of_as_many_classes_as_people_can_read(classes, shown):
    assert bool(lines(torch.eye(classes))) == shown


def test_nothing_where_it_is_not_wanted():
    assert matrix_lines(EvalEnd(1, 1, 0.5, metrics={"IoU": torch.tensor(0.5)})) == []
