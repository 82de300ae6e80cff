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
    assert settings["gradient_accumulation_steps"] == 3
    assert settings["gradient_clipping"] == 0.5
    assert settings["zero_optimization"]["stage"] == 2
    assert settings["zero_optimization"]["round_robin_gradients"] is True


def test_what_has_no_meaning_for_the_run_is_left_out_and_named(file, capsys):
    assert main([file, "gradient_clip=0.5", "--deepspeed", "--procs", "2"]) == 0
    shown = capsys.readouterr()
    assert not [key for key in json.loads(shown.out) if "batch_size" in key or "clipping" in key]
    (line,) = shown.err.splitlines()
    assert "`data.batch_size`" in line
    assert "`gradient_clip`" in line


def test_one_process_that_does_without_deepspeed_says_so(file, capsys):
    assert main([file, "--deepspeed"]) == 0
    assert "does without DeepSpeed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "key", ["++deepspeed.zero_optimization.reduce_bucket_size=-5", "++deepspeed.aio.blok_size=1", "optimizer=muon"]
)
def test_what_a_run_would_refuse_is_refused(file, key):
    with pytest.raises(ConfigError, match="^command line: "):
        main([file, key, "engine.zero=2", "--deepspeed"])


def test_a_number_of_processes_is_positive(file):
    with pytest.raises(ConfigError, match="--procs: must be a positive integer, got 0"):
        main([file, "--deepspeed", "--procs", "0"])
