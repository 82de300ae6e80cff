"""How often each class was taken for each other one, as lines of text."""

from __future__ import annotations

from rmldnn.steps import EvalEnd

TITLE = "Confusion matrix"
_NAME = "ConfusionMatrix"
_MOST = 20
"""A matrix of more classes is for programs, which find it in the history."""


def matrix_lines(end: EvalEnd) -> list[str]:
    """The confusion matrix of an evaluation: a line that says what is counted, one of titles, and one for each class.

    None if it was not asked for, or if there are more than 20 classes.

    Args:
        end: The end of the evaluation; its `ConfusionMatrix` is (classes, classes), or (labels, 2, 2) of several yes or
            no.
    """
    matrix = end.metrics.get(_NAME)
    if matrix is None or len(matrix) > _MOST:
        return []
    counts = matrix.flatten(1).long().tolist()
    numbers = [str(index) for index in range(len(counts))]
    names = [*end.classes, *numbers[len(end.classes) :]]
    labels = [number if name == number else f"{number} {name}" for number, name in zip(numbers, names, strict=False)]
    if matrix.ndim > 2:
        head, what = ["right no", "wrong yes", "wrong no", "right yes"], "each label: how often the network said"
    else:
        head, what = numbers, "rows: the true class; columns: what it was taken for"
    width = max(map(len, labels))
    widths = [max(len(title), *(len(str(row[at])) for row in counts)) + 2 for at, title in enumerate(head)]

    def line(label: str, cells: list[str]) -> str:
        return f"{label:<{width}}" + "".join(f"{cell:>{size}}" for cell, size in zip(cells, widths, strict=True))

    return [
        what,
        line("", head),
        *(line(label, list(map(str, row))) for label, row in zip(labels, counts, strict=True)),
    ]
