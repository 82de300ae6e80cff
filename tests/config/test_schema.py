"""The JSON Schema admits what the check admits, and refuses what it refuses."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from rmldnn.config import catalog
from rmldnn.config.check import check
from rmldnn.config.reader import read
from rmldnn.config.schema import schema
from rmldnn.config.spec import load
from rmldnn.errors import ConfigError

ROOT = Path(__file__).parents[2]
WRITTEN = sorted([*ROOT.glob("recipes/**/*.json"), *(ROOT.parent / "shared" / "upstream").rglob("*.json")])


@pytest.fixture(scope="module")
def judge():
    """Tells whether the schema admits a whole file."""
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def configurations():
    for path in WRITTEN:
        try:
            value = read(path).value
        except ConfigError:  # a network of Keras may be anything
            continue
        if isinstance(value, dict) and "neural_network" in value:
            yield pytest.param(value, id="/".join(path.parts[-3:]))


@pytest.mark.parametrize("value", list(configurations()))
def test_every_configuration_that_people_have_is_admitted(judge, value):
    judge.validate(value)


def put(values, path, value):
    *parents, last = path.split(".")
    for part in parents:
        values = values.setdefault(part, {})
    values[last] = value


RIGHT = {
    "loss": ["MSE", "mse", {"function": "dice", "source": "sigmoid"}, [{"function": "Dice", "weight": 0.7}, "BCE"],
             [{"function": "NLL", "weight": [1, 2], "factor": 0.5}], [{"function": "NLL", "weight": 2}]],
    "optimizer": ["adam", {"type": "SGD", "lr_scheduler": "Cosine"},
                  {"type": "Adam", "lr_scheduler": [{"type": "Warmup", "start_factor": 1, "num_epochs": 1}, "Cosine"]},
                  {"type": "Adam", "parameters": [{"layers": "a.*", "learning_rate": 1e-5}, {"kinds": ["bias"]}]}],
    "metrics": [["IoU", {"name": "f1", "average": "micro"}]],
    "tracking": ["TensorBoard", ["tensorboard"], {"type": "TensorBoard"}],
    "checkpoints": [{"keep": {"last": 2, "best": "test_loss"}}],
    "data.transforms": [[{"RESIZE": [4, 4]}, {"resize": {"size": [4, 4]}}, {"normalize": {"mean": 0.5, "std": 1}}]],
    "data.slicers": [[{"sizes": [4, 4, 4]}]],
    "data.input_grayscale": [True],
    "early_stopping": [{}, None],
    "num_epochs": [3],
    "network": [None],
}  # fmt: skip
WRONG = {
    "loss": ["Dise", {"function": "Dise"}, {"source": "sigmoid"}, {"function": "Dice", "source": "relu"}, [],
             {"function": "MSE", "ignore_index": 3.5}, {"function": "MSE", "wieght": 1}],
    "optimizer": ["adamm", {"type": "SGD", "beta1": 0.9}, {"type": "SGD", "learning_rate": -1},
                  {"type": "SGD", "lr_scheduler": {"type": "Stepp"}}, {"type": "SGD", "parameters": {"layers": "a"}},
                  {"type": "SGD", "parameters": [{"layer": "a"}]}],
    "metrics": ["IoU", ["IoUU"], [{"average": "micro"}]],
    "tracking": ["Board"],
    "checkpoints": [{"keep": {"lats": 2}}, 3],
    "data.transforms": [[{"resise": [4, 4]}], {"resize": [4, 4]}, [{"resize": [4, 4], "flip": {}}], [{"resize": "4"}]],
    "data.slicers": [[{"size": [4, 4, 4]}]],
    "data.grayscale": ["yes"],
    "data.bathc_size": [3],
    "data.h5_input_path": ["of another source"],
    "num_epochs": [0, "3", 1.5, True],
    "num_epoch": [3],
}  # fmt: skip


def cases(table):
    for path, values in table.items():
        for value in values:
            yield pytest.param(path, value, id=f"{path}={json.dumps(value)}"[:80])


@pytest.mark.parametrize(("path", "value"), list(cases(RIGHT)))
def test_what_is_right_is_admitted_by_both(judge, classifier, write, path, value):
    put(classifier, path, value)
    judge.validate({"neural_network": classifier})
    load(write(classifier))


@pytest.mark.parametrize(("path", "value"), list(cases(WRONG)))
def test_what_is_wrong_is_refused_by_both(judge, classifier, write, path, value):
    put(classifier, path, value)
    assert not judge.is_valid({"neural_network": classifier})
    with pytest.raises(ConfigError):
        load(write(classifier))


CHOICES = [("loss", "function"), ("optimizer", "type"), ("optimizer.lr_scheduler", "type")]
GROUPS = {"optimizer.lr_scheduler": "scheduler"}


@pytest.mark.parametrize(("path", "key"), CHOICES, ids=[path for path, _ in CHOICES])
def test_every_component_is_admitted_with_its_defaults(judge, classifier, path, key):
    for form in catalog.group(GROUPS.get(path, path)).values():
        values = copy.deepcopy(classifier)
        required = {name for name, parameter in form.parameters.items() if parameter.required}
        put(
            values,
            path,
            {key: form.name, **{name: item.default for name, item in form.parameters.items() if not item.required}},
        )
        refused = [list(error.absolute_path) for error in judge.iter_errors({"neural_network": values})]
        assert bool(refused) == bool(required), (form.name, refused)


def test_an_editor_reads_it_from_the_file_itself(classifier, write, judge):
    text = json.dumps({"$schema": "./rmldnn.schema.json", "neural_network": classifier})
    assert not list(check(load(write(text)).values))
    judge.validate(json.loads(text))


def test_it_is_printed_without_torch():
    program = "import sys; from rmldnn.cli import main; main(['schema']); assert 'torch' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(result.stdout) == json.loads(json.dumps(schema()))
