"""The command line as users type it."""

import subprocess
import sys
import time

import pytest

from rmldnn import cli
from rmldnn.errors import ConfigError


def rmldnn(*arguments, **options):
    command = [sys.executable, "-m", "rmldnn", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        ["config.json"],
        ["--config=config.json"],
        ["--config", "config.json"],
        ["--config=", "config.json"],
        ["--app=dnn", "--config=", "config.json"],
        ["--config=config.json", "--app=dnn"],
        ["--local_rank=1", "config.json"],
    ],
)
def test_every_form_names_the_same_file(arguments):
    options = cli.parse(arguments)
    assert (options.file, options.overrides) == ("config.json", [])


def test_changes_follow_the_file():
    options = cli.parse(["config.json", "optimizer.learning_rate=0.02", "--lenient", "num_epochs=3", "~loss"])
    assert options.overrides == ["optimizer.learning_rate=0.02", "num_epochs=3", "~loss"]
    assert options.lenient


def test_changes_alone_are_a_run():
    options = cli.parse(["network=unet", "loss=dice"])
    assert (options.file, options.overrides) == (None, ["network=unet", "loss=dice"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a configuration file"),
        (["--lenient"], "name a configuration file"),
        (["chek", "a.json"], "there is no command `chek`; did you mean `rmldnn check`?"),
        (["a.json", "b.json"], "takes one configuration file, got a.json, b.json"),
        (["--confg=a.json"], "unrecognized arguments: --confg=a.json"),
        (["a.json", "--log=loud"], "argument --log: invalid choice"),
        (["a.json", "--timeout=0"], "command line: --timeout: must be a number of seconds greater than 0, got `0`"),
        (["a.json", "--timeout", "soon"], "must be a number of seconds greater than 0, got `soon`"),
    ],
)
def test_a_wrong_command_line_is_a_configuration_error(arguments, message):
    with pytest.raises(ConfigError) as caught:
        cli.parse(arguments)
    assert message in str(caught.value)


def test_a_missing_file_ends_with_2_and_no_traceback():
    result = rmldnn("none.json")
    assert result.returncode == 2
    assert result.stderr == "rmldnn: error: none.json: no such configuration file\n"


def test_debug_shows_the_traceback():
    assert "Traceback" in rmldnn("none.json", "--debug").stderr


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    program = (
        "import sys, rmldnn.cli\n"
        f"try: rmldnn.cli.main(['{option}'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'pydantic', 'numpy', 'rich', 'yaml', 'cv2', 'deepspeed'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_version_answers_in_little_more_than_python_itself():
    def seconds(*command):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - start

    bare = min(seconds(sys.executable, "-c", "import argparse") for _ in range(5))
    assert min(seconds(sys.executable, "-m", "rmldnn", "--version") for _ in range(5)) < bare * 4 + 0.1
