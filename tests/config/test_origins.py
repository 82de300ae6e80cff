"""Each value of a configuration tells where it is from."""

import pytest

from rmldnn.config import spec, translate
from rmldnn.config.origins import Origins, with_origins


@pytest.fixture
def origin(write, classifier):
    """Says where the value at a path is from."""
    classifier["optimizer"] = {"type": "SGD", "learning_rate": 0.1}
    classifier["loss"] = "NLL"
    path = write(classifier)

    def of(key, *changes):
        loaded = spec.load(path)
        return Origins(loaded, translate.compose(loaded, changes).changes).of(key).replace(f"{path}:", "line ")

    return of


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("optimizer.learning_rate", "line 29"),
        ("loss.function", "line 26"),
        ("data.input_type", "line 6"),
        ("data.transforms", "line 11"),
        ("optimizer.momentum", "default"),
        ("seed", "default"),
    ],
)
def test_of_the_file(origin, key, wanted):
    assert origin(key) == wanted


@pytest.mark.parametrize(
    ("key", "change", "wanted"),
    [
        ("optimizer.learning_rate", "optimizer.learning_rate=3", "command line"),
        ("optimizer.type", "optimizer=adam", "command line"),
        ("optimizer.beta1", "optimizer=adam", "default"),
        ("optimizer.learning_rate", "optimizer=adam", "line 29"),
        ("checkpoints.keep", "checkpoints.keep={last: 3}", "command line"),
        ("precision", "+preset=exact", "preset exact"),
        ("loss.function", "+preset=classification", "preset classification"),
        ("optimizer.lr_scheduler.type", "+preset=classification", "preset classification"),
    ],
)
def test_of_the_command_line(origin, key, change, wanted):
    assert origin(key, change) == wanted


def test_the_command_line_counts_more_than_a_preset(origin):
    assert origin("loss.function", "+preset=classification", "loss=mse") == "command line"


def test_a_value_in_several_lines_has_one_comment(write, classifier):
    loaded = spec.load(write(classifier))
    text = with_origins(loaded.values, Origins(loaded, translate.compose(loaded).changes))
    (line,) = (line for line in text.splitlines() if line.startswith("  transforms:"))
    assert line.endswith("config.json:11")
