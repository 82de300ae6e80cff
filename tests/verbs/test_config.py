"""`rmldnn config`."""

import json

import pytest
import yaml

from rmldnn.errors import ConfigError
from rmldnn.verbs.config import main


@pytest.fixture
def file(pictures, config):
    path = pictures / "config.json"
    path.write_text(json.dumps({"neural_network": config}))
    return str(path)


def test_defaults_are_filled_in_and_changes_made(file, capsys):
    assert main([file, "optimizer.learning_rate=0.5"]) == 0
    composed = yaml.safe_load(capsys.readouterr().out)["neural_network"]
    assert composed["optimizer"]["learning_rate"] == 0.5
    assert composed["engine"]["zero"] == 0
    assert composed["layers"][0]["class_name"] == "Conv2D"


def test_deepspeed_gets_what_the_configuration_says(file, capsys):
    keys = (
        "engine.zero=2",
        "accumulate=3",
        "gradient_clip=0.5",
        "+deepspeed.zero_optimization.round_robin_gradients=true",
    )
    assert main([file, *keys, "--deepspeed", "--procs", "4"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert (settings["train_batch_size"], settings["gradient_accumulation_steps"]) == (12, 3)
    assert settings["gradient_clipping"] == 0.5
    assert settings["zero_optimization"]["stage"] == 2
    assert settings["zero_optimization"]["round_robin_gradients"] is True


def test_a_number_of_processes_is_positive(file):
    with pytest.raises(ConfigError, match="--procs: must be a positive integer, got 0"):
        main([file, "--deepspeed", "--procs", "0"])
