"""From the section `sweep` and the command line to a search space."""

import json
import re
import shlex
from pathlib import Path

import pytest

from rmldnn.config import spec
from rmldnn.config.domains import Choices, Range
from rmldnn.errors import ConfigError
from rmldnn.sweeps import space
from tests.config.test_gan import GAN


@pytest.fixture
def read(tmp_path, config):
    """Reads the sweep of a configuration file and a command line."""

    def read(*texts, **section):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"neural_network": {**config, "sweep": section}}, indent=1))
        return space.read(spec.load(path), texts)

    return read


def problems(read, *texts, **section):
    with pytest.raises(ConfigError) as caught:
        read(*texts, **section)
    return [re.sub("^.*/", "", str(problem)) for problem in caught.value.problems]


def test_the_section_has_settings_and_parameters(read):
    wanted = read(**{"num_trials": 7, "optimizer.learning_rate": {"log": [1e-5, 1e-2]}, "optimizer": ["Adam", "SGD"]})
    assert wanted.settings == {"num_trials": 7}
    assert wanted.space.domains == {
        "optimizer.learning_rate": Range("log", 1e-5, 1e-2),
        "optimizer": Choices(("Adam", "SGD")),
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("optimizer.learning_rate=1e-3,1e-2", Choices((1e-3, 1e-2))),
        ("optimizer.learning_rate=range(1,4)", Choices((1, 2, 3))),
        ("optimizer.learning_rate=interval(0.5,1)", Range("uniform", 0.5, 1.0)),
        ("optimizer.learning_rate=tag(log,interval(1e-5,1e-2))", Range("log", 1e-5, 1e-2)),
        ("data.batch_size=int(interval(4,64))", Range("integer", 4, 64)),
        ("data.batch_size=tag(log,int(interval(4,64)))", Range("log_integer", 4, 64)),
        ("data.batch_size=1e1,2e1", Choices((10, 20))),
        ("data.transforms=[],[{resize:[12,12]}]", Choices(([], [{"resize": [12, 12]}]))),
        ("optimizer='adam',\"sgd\"", Choices(("adam", "sgd"))),
        ("+preset=exact,trial", Choices(("exact", "trial"))),
    ],
)
def test_the_command_line_names_values_as_hydra_does(read, text, wanted):
    (domain,) = read(text).space.domains.values()
    assert domain == wanted


def test_the_command_line_counts_more_than_the_file(read):
    section = {"optimizer.learning_rate": [1e-3, 1e-2], "optimizer.momentum": [0.5, 0.9], "data.batch_size": [4, 8]}
    wanted = read("sweep.num_trials=3", "optimizer.learning_rate=1,2", "data.batch_size=2", **section, num_trials=9)
    assert wanted.settings == {"num_trials": 3}
    assert wanted.changes == ["data.batch_size=2"]
    assert wanted.space.domains == {
        "optimizer.learning_rate": Choices((1, 2)),
        "optimizer.momentum": Choices((0.5, 0.9)),
    }


def test_the_command_line_may_set_the_section_as_an_object(read):
    wanted = read("sweep={num_trials: 2, optimizer: [adam, sgd]}", "num_epochs=3", num_trials=9, min_epochs=2)
    assert wanted.settings == {"num_trials": 2, "min_epochs": 2}
    assert wanted.space.domains == {"optimizer": Choices(("adam", "sgd"))}
    assert wanted.changes == ["num_epochs=3"]


@pytest.mark.parametrize("text", ["~sweep", "sweep=null", "~sweep.optimizer.momentum"])
def test_the_command_line_may_take_parameters_of_the_file_away(read, text):
    wanted = read(text, "optimizer.learning_rate=1,2", **{"optimizer.momentum": [0.5, 0.9]})
    assert [*wanted.space.domains] == ["optimizer.learning_rate"]
    assert wanted.changes == []


@pytest.mark.parametrize("part", ["optimizer.generator", "optimizer.generator.type"])
def test_the_optimizers_of_a_pair_are_parameters(read, config, part):
    config.clear()
    keys = {"type": "Adam", "learning_rate": 1e-4, "beta1": 0.5}
    config |= {**GAN, "optimizer": {"generator": keys, "discriminator": keys}}
    wanted = read(f"{part}=adam,rmsprop", monitor="train_loss")
    assert wanted.space.domains == {part: Choices(("adam", "rmsprop"))}


def test_a_grid_has_hydras_order(read):
    grid = read("optimizer=adam,sgd", "optimizer.learning_rate=1e-3,1e-2").space
    assert grid.size == 4
    assert [tuple(values.values()) for values in grid.grid()] == [
        ("adam", 1e-3),
        ("adam", 1e-2),
        ("sgd", 1e-3),
        ("sgd", 1e-2),
    ]


def test_values_become_words_of_a_command_line(read):
    values = {"a": 1e-3, "b": None, "c": True, "d": "it's", "e": [{"resize": [2, 2]}]}
    assert space.assigned(values) == ["a=0.001", "b=null", "c=true", "d='it\\'s'", "e=[{resize:[2,2]}]"]


def test_all_faults_are_told_at_once_with_their_places(read):
    section = {"num_trails": 3, "sampler": "tpee", "optimizr.learning_rate": [1], "optimizer.momentum": {"log": [2, 1]}}
    found = problems(read, "sweep.min_epochs=0", **section)
    assert any(re.match(r"config.json:\d+: sweep.num_trails: .*did you mean `num_trials`", line) for line in found)
    assert any(re.match(r"config.json:\d+: sweep.sampler: must be one of", line) for line in found)
    assert any(re.match(r"config.json:\d+: sweep.optimizr.learning_rate: ", line) for line in found)
    assert any(
        re.match(r"config.json:\d+: sweep.optimizer.momentum.log: must begin with the least", line) for line in found
    )


def test_every_value_is_tried_before_anything_starts(read):
    section = {"optimizer.learning_rate": [0.1, -1], "data.batch_size": {"uniform": [4, 8]}, "loss": ["NLL", "nl"]}
    found = problems(read, "optimizer=adam,sgdd", monitor="test_accuracy", **section)
    assert len(found) == 4
    assert "command line: sweep.optimizer: there is no optimizer `sgdd`; did you mean `SGD`?" in found
    assert any(re.match(r"config.json:\d+: sweep.optimizer.learning_rate: must be a number greater", x) for x in found)
    assert any("sweep.data.batch_size: " in x and "a range of whole numbers is `integer`" in x for x in found)
    assert any("sweep.loss: there is no loss `nl`" in x for x in found)


def test_a_key_that_one_of_the_components_lacks_is_refused(read):
    (found,) = problems(read, "optimizer=sgd,adam", "optimizer.momentum=0.5,0.9")
    assert found.startswith("command line: sweep.optimizer.momentum: `momentum`: unknown key")


def test_faults_within_lists_have_the_place_of_their_parameter(read):
    (found,) = problems(read, **{"data.transforms": [[], [{"resiz": [8, 8]}]]})
    assert re.match(r"config.json:\d+: sweep.data.transforms: .*`resiz`.*with data.transforms\[0\]", found)


@pytest.mark.parametrize(
    ("texts", "section", "message"),
    [
        (["optimizer.learning_rate=*"], {}, "command line: optimizer.learning_rate: must be a number"),
        (["optimizer.learning_rate=interval(1,2"], {}, "command line: optimizer.learning_rate: must be a number"),
        (["sweep=3"], {}, "command line: sweep: must be an object such as {num_trials: 20}, got 3"),
        (["~sweep.momentum", "optimizer=adam,sgd"], {}, "command line: sweep.momentum: is not there"),
        ([], {}, "sweep: has no parameters; name several values"),
        (["loss=nll,crossentropy"], {}, "values of different losses do not compare; `monitor` is `test_loss`"),
        (["data.batch_size=int(interval(1,9))"], {"sampler": "grid"}, "is a range, and a grid needs lists"),
        (["data.test_input_path=null", "data.batch_size=1,2"], {}, "has no `test_loss`, as there is no test set"),
        (["data.input_path=null", "data.batch_size=1,2"], {}, "there is no training set"),
        (["data.batch_size=glob(*)"], {}, "names no values; list them: data.batch_size=a,b"),
        (["run_folder=a,b"], {}, "cannot be swept"),
        (["checkpoints.keep.best=train_loss,test_loss"], {}, "cannot be swept: the sweep sets it in each trial"),
        (
            ["data.test_output_path=./pa/,./pb/"],
            {},
            "cannot be swept: the sweep sets it in each trial (`--sweep-folder`",
        ),
        (["sweep.num_trials=1,2"], {}, "sweep.num_trials: cannot be swept: it is a setting of the sweep"),
        (
            ["sweep.optimizer=adam,sgd"],
            {},
            "sweep.optimizer: takes no `sweep.` before it on the command line; write opti",
        ),
        (
            [],
            {"data.transforms": [[], [{"it's": 1}]]},
            'cannot hand [{"it\'s": 1}] to a run; keys of objects have to be',
        ),
    ],
)
def test_sweeps_without_sense_are_refused(read, texts, section, message):
    (found,) = problems(read, *texts, **section)
    assert message in found


def test_settings_and_parameters_are_judged_at_once(read):
    told = problems(read, "sweep.pruner=meidan", "optimizer.learning_rat=1,2", "optimizer.learning_rate=1,-1")
    assert len(told) == 3


def test_a_plain_run_does_not_see_the_section(read, tmp_path):
    from rmldnn.config import translate

    read("optimizer.learning_rate=1,2", **{"num_trials": 3, "optimizer.momentum": {"uniform": [0, 0.9]}})
    assert "sweep" not in translate.compose(spec.load(tmp_path / "config.json")).values


def test_the_tutorial_of_the_original_is_one_command(tmp_path):
    data = {
        "type": "images",
        "input_path": "./train/inputs/",
        "target_path": "./train/targets/",
        "test_input_path": "./test/inputs/",
        "test_target_path": "./test/targets/",
        "target_grayscale": True,
        "target_is_mask": True,
        "transforms": [{"resize": [256, 256]}],
    }
    values = {
        "layers": "./layers_resunet.json",
        "data": data,
        "loss": {"function": "BCE", "source": "sigmoid"},
        "optimizer": {"type": "Adam", "learning_rate": 1e-3, "lr_scheduler": {"type": "Exponential", "gamma": 0.95}},
    }
    (tmp_path / "config.json").write_text(json.dumps({"neural_network": values}))
    page = (Path(__file__).parent.parent.parent / "docs/sweeps.md").read_text()
    (command,) = re.findall(r"^rmldnn config.json (-m .*loss=(?:.*\\\n)?.*)$", page, re.MULTILINE)
    _, *words = shlex.split(command.replace("\\\n", " "))
    wanted = space.read(spec.load(tmp_path / "config.json"), words)
    assert wanted.settings == {"num_trials": 50, "monitor": "test_accuracy"}
    assert wanted.space.domains["loss"] == Choices(("bce", "dice"))
    assert wanted.space.domains["optimizer.learning_rate"] == Range("log", 1e-3, 1e-2)
    assert wanted.base["num_epochs"] == 50
