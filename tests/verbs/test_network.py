"""`rmldnn network`: what it lists, explains and writes."""

import json

import pytest

from rmldnn.cli import main
from rmldnn.networks.keras import read


@pytest.fixture
def say(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def say(*words, code=0):
        assert main(["network", *words]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return say


def test_families_are_listed(say):
    text = say()
    assert "resnet50" in text
    assert "unet" in text


def test_the_keys_of_a_family_are_explained(say):
    text = say("unet")
    assert "backbone" in text
    assert "num_classes" in text


def test_a_network_file_is_written(say, tmp_path):
    assert say("vgg16", "num_classes=3", "input_shape=[32,32,1]", "--out", "net.json") == "net.json\n"
    graph = read(str(tmp_path / "net.json"))
    assert graph.nodes[-1].config["units"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["net.json"]


def test_standard_output(say):
    assert json.loads(say("vgg16", "--out", "-"))["class_name"] == "Functional"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["unett"], "did you mean `unet`"),
        (["vgg16", "num_clases=3", "--out", "n.json"], "did you mean `num_classes`"),
        (["vgg16", "num_classes=0", "--out", "n.json"], "num_classes: must be a positive integer, got 0"),
        (["vgg16", "vgg19"], "takes one family, got vgg16, vgg19"),
        (["vgg16", "num_classes=3"], "add --out net.json"),
        (["vgg16", "activation=softmaxx", "--out", "n.json"], "did you mean `softmax`"),
    ],
)
def test_faults(say, words, fault):
    assert fault in say(*words, code=2)


def test_a_file_that_cannot_be_written_is_named(say):
    assert "cannot write `missing/net.json`" in say("vgg16", "--out", "missing/net.json", code=1)
