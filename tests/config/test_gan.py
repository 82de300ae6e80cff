"""What the task `gan` asks of a configuration, and where problems are said to be."""

import copy
import json
import re

import pytest

from rmldnn.config import spec, translate
from rmldnn.config.origins import Origins
from rmldnn.errors import ConfigError

LAYERS = [{"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 2]}}]
GAN = {
    "task": "gan",
    "layers": {"generator": LAYERS, "discriminator": "./critic.json"},
    "data": {"input_type": "images", "input_path": "./train/"},
    "loss": "Wasserstein",
    "optimizer": {
        "generator": {"type": "Adam", "learning_rate": 1e-4, "lr_scheduler": "Cosine"},
        "discriminator": "SGD",
    },
}


@pytest.fixture
def load(tmp_path):
    """Writes a configuration line by line and reads it."""

    def load_with(values, **keys):
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"neural_network": values}, indent=1))
        return spec.load(file, **keys)

    return load_with


def changed(**keys):
    """The configuration with other keys: `optimizer__generator__type`; None takes one away."""
    values = copy.deepcopy(GAN)
    for path, value in keys.items():
        *parents, last = path.split("__")
        section = values
        for parent in parents:
            section = section[parent]
        if value is None:
            del section[last]
        else:
            section[last] = value
    return values


def test_every_part_is_made_with_its_defaults(load):
    job = translate.job(translate.compose(load(GAN)).values)
    assert job["task"]["critic_steps"] == 1
    assert job["network"] is None
    assert job["optimizer"]["generator"]["learning_rate"] == 1e-4
    assert job["optimizer"]["discriminator"]["_target_"].endswith("sgd.sgd")
    assert job["optimizer"]["discriminator"]["momentum"] == 0
    assert [len(job["schedules"][part]) for part in ("generator", "discriminator")] == [1, 0]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("optimizer.generator.learning_rate=1e-3", ("optimizer", "generator", "learning_rate"), 1e-3),
        ("optimizer.discriminator.momentum=0.5", ("optimizer", "discriminator", "momentum"), 0.5),
        ("task.critic_steps=5", ("task", "critic_steps"), 5),
        ("loss.clip=0.1", ("loss", "clip"), 0.1),
        ("loss=hinge", ("loss", "function"), "Hinge"),
    ],
)
def test_the_command_line_reaches_the_parts(load, text, path, value):
    found = translate.compose(load(GAN), [text]).values
    for key in path:
        found = found[key]
    assert found == value


def test_the_task_may_stand_on_the_command_line(load):
    assert load(changed(task=None), task="gan").values["task"] == {"type": "gan"}


def test_networks_may_be_families_and_layers(load):
    values = changed(layers__discriminator=None) | {"network": {"discriminator": "dcgan_discriminator"}}
    job = translate.job(translate.compose(load(values), ["network.discriminator.filters=8"]).values)
    assert job["network"]["discriminator"]["filters"] == 8


FAULTS = [
    (changed(optimizer__discriminator=None), "optimizer: `discriminator` is missing"),
    (changed(optimizer="Adam"), "optimizer: the task `gan` has two networks"),
    (changed(optimizer=None), "`optimizer` is missing; training needs"),
    (changed(optimizer__critic="Adam"), "optimizer.critic: `critic`: unknown key in optimizer"),
    (changed(optimizer__generator__rate=1), "optimizer.generator.rate: `rate`: unknown key in optimizer Adam"),
    (
        changed(optimizer__generator={"type": "Adam", "lr_scheduler": {"type": "Cosin"}}),
        "optimizer.generator.lr_scheduler.type: there is no scheduler `Cosin`",
    ),
    (changed(optimizer__generator=3), "optimizer.generator: must be an object"),
    (changed(layers="./net.json"), "layers: the task `gan` has two networks"),
    (changed(layers__generator=None), "layers: `generator` is missing"),
    (changed(layers__critic="./critic.json"), "layers.critic: `critic`: unknown key in layers; known here: `discr"),
    (changed(layers=None), "`layers` is missing; the task `gan` needs"),
    (changed() | {"network": {"generator": "dcgan_generator"}}, "network.generator: `layers.generator` says what"),
    (changed(loss="MSE"), "loss: the task `gan` takes one loss for both networks: Wasserstein, GAN, "),
    (changed(loss=["Hinge", "Wasserstein"]), "loss: the task `gan` takes one loss"),
    (changed(loss={"function": "Wasserstein", "clip": -1}), "loss.clip: must be"),
    (changed(task="dnn"), "layers: two networks are for the task `gan`"),
    (changed(task="dnn"), "optimizer: two networks are for the task `gan`"),
    (changed(task="dnn"), "loss: is for two networks that learn against each other"),
    (changed(task={"type": "gan", "conditional": True}), "task.conditional: needs the classes of the samples"),
    (changed() | {"engine": {"zero": 1}}, "engine.zero: does not work with the task `gan`"),
    (changed(data__batch_size="auto"), "data.batch_size: `auto` measures a single network"),
    (changed() | {"metrics": ["IoU"]}, "metrics: does not work with the task `gan`; give it `task.classifier`"),
    (changed() | {"activation_checkpointing": True}, "activation_checkpointing: does not work with the task `gan`"),
    (changed() | {"compile": True}, "compile: torch compiles no gradient of a gradient"),
    (changed() | {"precision": "fp16"}, 'precision: "fp16" has too few numbers'),
    (changed(data__input_path=None), "data: needs `input_path` to train"),
    (changed(data__input_path=None), "or both; to make samples of random numbers alone, set `task.num_samples`"),
    (
        changed(data__target_type="numpy", task={"type": "gan", "conditional": True}),
        "data: `target_path` is missing; the targets of type `numpy` lie there",
    ),
]


@pytest.mark.parametrize(("values", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_what_is_wrong_is_told(load, values, message):
    with pytest.raises(ConfigError) as error:
        load(values)
    assert message in str(error.value)


@pytest.mark.parametrize(("values", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_what_is_wrong_is_told_beside_changes_of_something_else(load, values, message):
    with pytest.raises(ConfigError) as alone:
        load(values)
    changes = ["num_epochs=3"]
    with pytest.raises(ConfigError) as composed:
        translate.compose(load(values, changes=changes), changes)
    assert message in str(composed.value)
    assert {*str(composed.value).splitlines()} <= {*str(alone.value).splitlines()}


def test_networks_that_are_told_of_no_classes_need_no_targets(load):
    values = changed(data={"type": "numpy", "input_path": "./train/"})
    assert translate.job(translate.compose(load(values)).values)["data"]["_args_"][1] is None


def test_layers_of_one_network_may_stand_on_the_command_line(load):
    composed = translate.compose(load(GAN), ["layers.generator=./other.json"])
    assert composed.values["layers"] == {"generator": "./other.json", "discriminator": "./critic.json"}
    assert Origins(composed.spec, composed.changes).of("layers.generator") == "command line"
    assert GAN["layers"]["generator"] == LAYERS


def test_layers_on_the_command_line_replace_a_family_of_the_same_network(load):
    values = changed(layers__discriminator=None) | {"network": {"discriminator": "dcgan_discriminator"}}
    composed = translate.compose(load(values), ["layers.discriminator=./other.json"])
    assert composed.values["layers"] == {"generator": LAYERS, "discriminator": "./other.json"}
    (notice,) = composed.notices
    assert "network.discriminator: left out, since the command line chose other layers" in str(notice)


def test_layers_of_one_network_may_be_taken_away_for_a_family(load):
    changes = ["~layers.discriminator", "network.discriminator.type=dcgan_discriminator"]
    values = translate.compose(load(GAN), changes).values
    assert values["layers"] == {"generator": LAYERS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers.generator=3", "layers.generator: names a file of layers, such as layers.generator=./generator.json"),
        ("layers.critic=./critic.json", "layers.critic: single layers cannot be changed here"),
        ("layers.generator=null", "layers: `generator` is missing; the task `gan` needs"),
    ],
)
def test_layers_that_cannot_stand_on_the_command_line_are_told(load, text, message):
    with pytest.raises(ConfigError) as caught:
        translate.compose(load(GAN), [text])
    assert f"command line: {message}" in str(caught.value)


@pytest.mark.parametrize("key", ["optimizer.generator", "optimizer.generator.type"])
def test_the_optimizer_of_one_network_is_chosen_without_keys_of_the_former_one(load, key):
    values = changed(optimizer__generator={"type": "Adam", "learning_rate": 1e-4, "beta1": 0.5})
    composed = translate.compose(load(values), [f"{key}=rmsprop", "optimizer.generator.momentum=0.25"])
    made = composed.values["optimizer"]["generator"]
    assert made == {"type": "rmsprop", "learning_rate": 1e-4, "momentum": 0.25}
    (notice,) = composed.notices
    assert re.search(r"config.json:\d+: optimizer.generator.beta1: left out.*chose rmsprop", str(notice))
    origins = Origins(composed.spec, composed.changes)
    assert origins.of("optimizer.generator.type") == "command line"
    assert "config.json" in origins.of("optimizer.generator.learning_rate")


def test_an_optimizer_that_there_is_not_is_told_of_one_network_too(load):
    with pytest.raises(ConfigError, match="command line: optimizer.generator: there is no optimizer `rmspro`"):
        translate.compose(load(GAN), ["optimizer.generator=rmspro"])


def test_problems_of_parts_have_their_lines(load, tmp_path):
    with pytest.raises(ConfigError) as error:
        load(changed(optimizer__discriminator={"type": "SGD", "learning_rate": -1}))
    lines = (tmp_path / "config.json").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if '"learning_rate": -1' in line)
    assert f"config.json:{number}: optimizer.discriminator.learning_rate: must be" in str(error.value)


def test_problems_of_the_command_line_are_said_to_be_there(load):
    with pytest.raises(ConfigError, match="command line: optimizer.generator.learning_rate"):
        translate.compose(load(GAN), ["optimizer.generator.learning_rate=-1"])


@pytest.mark.parametrize(
    "values", [changed(), changed(data__input_path=None, task={"type": "gan", "num_samples": 4}), changed(loss="GAN")]
)
def test_what_is_right_passes(load, values):
    translate.job(translate.compose(load(values)).values)


def test_a_model_as_an_object_is_not_taken_for_parts(load):
    model = {"class_name": "Sequential", "config": {"layers": LAYERS}}
    load(changed(task=None, layers=model, optimizer="Adam", loss="MSE", data__target_type="labels"))
