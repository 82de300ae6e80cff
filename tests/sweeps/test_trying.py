"""What is tried of a sweep before its first trial starts."""

import json
import re
from pathlib import Path

import pytest

from rmldnn.config import spec
from rmldnn.sweeps import space, trying
from rmldnn.sweeps.trying import tried


@pytest.fixture
def found(pictures, config):
    """Tries a sweep of a configuration file and a command line; its problems and faults."""

    def found(*texts, **section):
        Path("config.json").write_text(json.dumps({"neural_network": {**config, "sweep": section}}, indent=1))
        loaded = spec.load("config.json")
        report = tried(loaded, space.read(loaded, texts), Path("sweeps/config"))
        return [*map(str, report.problems), *report.faults]

    return found


def test_nothing_is_wrong_and_nothing_is_made(found):
    assert found("optimizer=adam,sgd", "data.test_output_path=out", monitor="test_accuracy") == []
    assert sorted(path.name for path in Path().iterdir()) == ["config.json", "test", "train"]


def test_a_number_that_the_run_does_not_have_is_told_where_it_is_asked_for(found):
    (told,) = found("optimizer=adam,sgd", monitor="test_acuracy")
    assert re.match(r"config.json:\d+: sweep.monitor: this run has no `test_acuracy`; it has `train_loss`", told)
    (told,) = found("optimizer=adam,sgd", "sweep.monitor=test_IoU")
    assert told.startswith("command line: sweep.monitor: this run has no `test_IoU`")


def test_every_network_file_is_tried(found, config):
    Path("right.json").write_text(json.dumps(config["layers"]))
    told = found("layers=./right.json,./none.json,./nothing.json")
    assert [re.search(r"`?\./(none|nothing)\.json", text)[1] for text in told] == ["none", "nothing"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data.test_input_path=./test/,./nowhere/", "data.test_input_path: `./nowhere/` does not exist"),
        ("data.transforms=[],[{resize:[4,4]}]", "got (N, 1, 4, 4)"),
        ("data.grayscale=true,false", "got (N, 3, 12, 12)"),
    ],
)
def test_every_value_that_a_check_can_tell_from_others_is_tried(found, text, message):
    told = found(text, "sweep.monitor=test_accuracy")
    assert told, "the second value is wrong"
    assert message in told[0]


@pytest.mark.parametrize("path", ["network.depth", "network", "loss.weight", "data", "data.slicers[0].size", "preset"])
def test_networks_losses_and_data_are_tried(path):
    assert trying._TELLING.fullmatch(path)


@pytest.mark.parametrize("path", ["optimizer", "data.batch_size", "data.num_workers", "lossless", "num_epochs"])
def test_what_a_check_finds_the_same_of_is_not(path):
    assert not trying._TELLING.fullmatch(path)


def test_data_of_the_file_has_its_line(found):
    (told,) = found(**{"data.input_path": ["./nowhere/", "./train/"]})
    assert re.match(r"config.json:\d+: sweep.data.input_path: `./nowhere/` does not exist", told)


def test_data_that_is_not_there_is_told(found):
    (told,) = found("optimizer=adam,sgd", "data.input_path=./nowhere/")
    assert told.startswith("command line: ")
    assert "data.input_path: `./nowhere/` does not exist" in told


def test_a_place_that_cannot_be_written_is_that_of_the_sweep(found):
    Path("sweeps").write_text("a file")
    (told,) = found("optimizer=adam,sgd")
    assert told.startswith("command line: --sweep-folder: cannot write to `sweeps/config/trials/0")
