import pytest

from rmldnn.data.loader import Loader
from rmldnn.data.summary import rows


@pytest.mark.parametrize(
    ("count", "batch_size", "world", "values"),
    [
        (200, 16, 1, [200, 200, 16, 16, 13]),
        (60000, 128, 2, [60000, 30000, 128, 64, 469]),
        (6848, 64, 8, [6848, 856, 64, 8, 107]),
        (536, 128, 8, [536, 67, 128, 16, 5]),
        (400, 64, 4, [400, 100, 64, 16, 7]),
        (5, 3, 2, [5, 3, 3, 2, 2]),
    ],
)
def test_counts_are_those_of_the_original(numbers, count, batch_size, world, values):
    assert [value for _, value in rows(Loader(numbers(count), batch_size, world=world))] == ["numbers", *values]


def test_processes_that_take_turns_have_whole_batches(numbers):
    values = dict(rows(Loader(numbers(22), 4, world=4), turns=True))
    assert values["Batch size  (per process)"] == 4
    assert values["Num batches (per process)"] == 2, "six batches, of which the first two processes have two each"
    assert next(value for key, value in values.items() if key.endswith("(per process)")) == 8
    assert next(value for _, value in rows(Loader(numbers(5), 4, world=4), turns=True)[2:]) == 4


def test_labels_keep_their_blanks(pictures, numbers):
    dataset = numbers(1)
    type(dataset.inputs.source).noun = "images"
    assert [label for label, _ in rows(Loader(dataset, 1))] == [
        "Type",
        "Num images  (total)",
        "Num images  (per process)",
        "Batch size  (requested)",
        "Batch size  (per process)",
        "Num batches (per process)",
    ]


def test_batches_are_those_that_the_loader_makes(numbers):
    dataset = numbers(324)
    dataset.inputs.source.groups = [256, 68]  # which do not share batches
    loader = Loader(dataset, 20)
    assert (dict(rows(loader))["Num batches (per process)"], len(list(loader.epoch(1)))) == (17, 17)
