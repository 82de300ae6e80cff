"""`rmldnn summary`, for people and for programs."""

import json

import pytest

from rmldnn.cli import main

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}}
CONV = {"class_name": "Conv2D", "config": {"name": "c", "filters": 5, "kernel_size": 3}}
OPEN = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, None, None, 3]}}


@pytest.fixture
def summary(tmp_path, capsys, monkeypatch):
    """Runs the command on a file with the given content; what it said."""
    monkeypatch.chdir(tmp_path)

    def summary(content, *options, code=0):
        (tmp_path / "file.json").write_text(json.dumps(content))
        assert main(["summary", "file.json", *options]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return summary


def facts(text):
    return json.loads(text)


def test_a_network_file(summary):
    found = facts(summary([INPUT, CONV], "--format", "json"))
    assert (found["total_params"], found["trainable_params"], found["num_layers"]) == (140, 140, 2)
    assert (found["inputs"], found["outputs"]) == ([[None, 8, 8, 3]], [[None, 6, 6, 5]])


def test_a_configuration_in_which_only_the_network_matters(summary):
    assert facts(summary({"neural_network": {"layers": [INPUT, CONV]}}, "--format", "json"))["total_params"] == 140


def test_a_family_in_a_configuration(summary):
    section = {"type": "vgg16", "num_classes": 2, "input_shape": [32, 32, 3]}
    assert facts(summary({"neural_network": {"network": section}}, "--format", "json"))["num_layers"] == 23


def test_an_implied_input_is_no_layer(summary):
    first = {**CONV, "config": {**CONV["config"], "batch_input_shape": [None, 8, 8, 3]}}
    assert facts(summary([first], "--format", "json"))["num_layers"] == 1


def test_a_training_step_takes_weights_gradients_optimizer_and_activations(summary):
    network = {"layers": [INPUT, CONV], "data": {"batch_size": 2}}
    sgd = facts(summary({"neural_network": network}, "--format", "json"))["training_bytes"]
    assert sgd == 4 * (2 * 140 + 2 * 3 * 8 * 8)
    adam = {**network, "optimizer": {"type": "adam"}}
    assert facts(summary({"neural_network": adam}, "--format", "json"))["training_bytes"] >= sgd + 2 * 4 * 140


def test_open_extents_are_put_in(summary):
    assert facts(summary([OPEN, CONV], "--format", "json"))["multiply_adds"] is None
    filled = summary([OPEN, CONV], "--format", "json", "--input-shape", "8,8,3")
    assert facts(filled)["multiply_adds"] == 6 * 6 * 9 * 3 * 5


def test_the_table_says_what_to_do_about_open_extents(summary):
    assert "--input-shape 256,256,3" in summary([OPEN, CONV])


def test_the_table_names_every_layer(summary):
    text = summary([INPUT, CONV])
    assert "Conv2D" in text
    assert "6 x 6 x 5" in text
    assert "Parameters" in text


@pytest.mark.parametrize(
    ("content", "options", "fault"),
    [
        ([INPUT, {**CONV, "class_name": "Conf2D"}], [], "did you mean `Conv2D`"),
        ({"neural_network": {}}, [], "layers: is missing"),
        ([INPUT, CONV], ["--batch-size", "0"], "--batch-size must be a positive integer, got 0"),
        ([OPEN, CONV], ["--input-shape", "a"], "--input-shape must be positive integers"),
        ([INPUT, CONV], ["--input-shape", "9,9,3"], "--input-shape 9,9,3 does not fit"),
        ([INPUT, CONV], ["--fromat", "json"], "see rmldnn summary --help"),
    ],
)
def test_faults(summary, content, options, fault):
    assert fault in summary(content, *options, code=2)


def test_both_networks_of_a_pair_are_shown(summary):
    section = {
        "task": "gan",
        "layers": {"generator": [{"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 3]}}]},
        "network": {"discriminator": {"type": "dcgan_discriminator", "filters": 2, "input_shape": [8, 8, 1]}},
        "optimizer": {"generator": {"type": "Adam", "learning_rate": 1}, "discriminator": "SGD"},
    }
    found = facts(summary({"neural_network": section}, "--format", "json"))
    assert list(found) == ["generator", "discriminator"]
    assert found["generator"]["total_params"] == 8
