"""Verbs that take a configuration take it as a run does."""

import json
from pathlib import Path

import pytest
import yaml

from rmldnn.cli import main

VERBS = {
    "config": [],
    "data": [],
    "anchors": [],
    "shard": ["--out", "shards"],
    "scale": [],
    "submit": ["--time", "30", "--print"],
}


@pytest.fixture
def file(pictures, config):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    return "config.json"


@pytest.mark.parametrize(("verb", "options"), VERBS.items())
def test_the_command_line_names_the_task(file, capsys, verb, options):
    assert main([verb, file, "--app=sth", *options]) == 2
    assert "rmldnn: error: command line: --app: there is no task `sth`" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_is_asked_for(pictures, capsys, verb):
    assert main([verb, *VERBS[verb]]) == 2
    assert "rmldnn: error: name a configuration file" in capsys.readouterr().err


def test_what_belongs_to_the_task_is_right_with_it(file, config, capsys):
    del config["layers"], config["data"]["test_input_path"]
    config |= {"network": {"type": "yolov3"}, "loss": "YOLOv3"}
    config["data"] |= {"target_type": "yolo", "target_path": "./boxes/"}
    Path(file).write_text(json.dumps({"neural_network": config}))
    assert main(["config", file]) == 2
    assert "YOLOv3 is the loss of object detection; set" in capsys.readouterr().err
    assert main(["config", file, "--app=obj"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["neural_network"]["task"]["type"] == "obj"


def test_a_job_gets_the_task(file, capsys):
    assert main(["submit", file, "--app=dnn", "--time", "30", "--print"]) == 0
    assert f"rmldnn {file} --app=dnn" in capsys.readouterr().out
