"""Components of the user's own, named on the command line and nowhere else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rmldnn import cli

LOSS = '''
import torch

from rmldnn.component import component


@component("Picked", group="loss")
def picked(output, target, total, *, factor: float = 1.0):
    """The mean of minus the output of the right class, times a factor."""
    found = output.gather(1, target[:, None])
    sums = total(torch.stack([found.sum(), found.new_tensor(len(found))]))
    return -factor * sums[0] / sums[1]
'''


@pytest.fixture
def plugged(pictures):
    """Writes the module, into a package beside the configuration."""
    (pictures / "my_package").mkdir()
    (pictures / "my_package" / "__init__.py").touch()

    def write(text, name="my_module"):
        (pictures / "my_package" / f"{name}.py").write_text(text)

    write(LOSS)
    return write


def losses():
    return np.loadtxt("out_train.txt")[:, -2]


def test_a_loss_of_ones_own_trains_as_ours_does(plugged, train):
    assert train().code == 0
    wanted = losses()
    result = train("plugins=[my_package.my_module]", "loss=picked", "loss.factor=2")
    assert result.code == 0, result.err
    assert losses()[0] == pytest.approx(2 * wanted[0], rel=1e-5)


@pytest.mark.slow
def test_in_several_processes(plugged, train, rmldnn):
    words = ("plugins=[my_package.my_module]", "loss=picked", "num_epochs=1")
    assert train(*words).code == 0
    result = rmldnn("config.json", *words, "--procs", "2")
    assert result.code == 0, result.err


MODULE = "`my_package.my_module`"
FAULTS = {
    "": f"{MODULE} has no function marked by @component",
    LOSS.replace(', group="loss"', ""): f'`Picked` of {MODULE} says no group; write @component("Picked", group="loss")',
    LOSS.replace('"Picked"', '"NLL"'): "there is a loss `NLL` already",
    LOSS.replace("float", "Flaot"): f"the components of {MODULE} cannot be read: name 'Flaot' is not defined",
    LOSS.replace(
        ', group="loss"', ', group="los"'
    ): f"`Picked` of {MODULE} says the group `los`, which has no place for it",
}


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_what_cannot_be_added_is_told(plugged, train, text):
    plugged(text)
    result = train("plugins=[my_package.my_module]")
    assert result.code == 2
    assert f"rmldnn: error: command line: plugins: {FAULTS[text]}" in result.err


def test_what_is_no_python_is_told_with_its_line(plugged, train):
    plugged(LOSS.replace("def picked(", "def picked"))
    result = train("plugins=[my_package.my_module]")
    assert result.code == 2
    assert re.search(r"error: /.*my_package/my_module.py:8: plugins: .* in `my_package.my_module`", result.err)


@pytest.mark.parametrize("verb", [[], ["check"]])
def test_a_loss_that_does_not_take_the_data_is_told_before_the_run(plugged, train, rmldnn, verb):
    plugged(LOSS.replace("target[:, None]", "target[:, None, None]"))
    train("num_epochs=1")  # writes the configuration
    result = rmldnn(*verb, "config.json", "plugins=[my_package.my_module]", "loss=picked")
    assert result.code == 2
    line = r"my_package/my_module.py:10: loss: RuntimeError: Index tensor .*; it got an output of \[\d+, \d+\]"
    assert re.search(line, result.err)


def test_a_loss_that_is_no_number_is_told_before_the_run(plugged, train):
    plugged(LOSS.replace("sums[0] / sums[1]", "found"))
    result = train("plugins=[my_package.my_module]", "loss=picked")
    assert result.code == 2
    assert "loss: must return one number for a batch, a tensor without axes, got a tensor of [1, 1]" in result.err


def test_a_module_that_is_no_python_is_told_though_it_has_no_components(plugged, train):
    plugged("def x(:")
    result = train("plugins=[my_package.my_module]")
    assert result.code == 2
    assert "my_package/my_module.py:1: plugins: invalid syntax" in result.err


def test_what_fails_in_a_run_is_told_with_its_line(plugged, train):
    plugged(LOSS.replace("    found", "    assert not output.requires_grad, 'too late'\n    found", 1))
    result = train("plugins=[my_package.my_module]", "loss=picked")
    assert result.code == 1
    assert "my_package/my_module.py:10: AssertionError: too late" in result.err


def test_words_and_schema_know_them(plugged, capsys):
    plugged(LOSS)
    assert cli.main(["explain", "loss.picked", "plugins=[my_package.my_module]"]) == 0
    assert "factor: a number; default 1.0" in capsys.readouterr().out
    assert cli.main(["schema", "plugins=[my_package.my_module]"]) == 0
    assert "Picked" in capsys.readouterr().out


def test_a_module_that_is_not_there_is_told(train):
    result = train("plugins=[my_package.other]")
    assert (result.code, result.err) == (
        2,
        "rmldnn: error: command line: plugins: there is no module `my_package.other`\n",
    )


@pytest.mark.slow
def test_a_run_with_one_is_made_again_by_ones_own_word(plugged, train, rmldnn):
    words = ("plugins=[my_package.my_module]", "loss=picked", "num_epochs=1")
    assert train(*words, "run_folder=run").code == 0
    wanted = losses()
    result = rmldnn("rerun", "run")
    assert result.code == 2
    assert "add 'plugins=[my_package.my_module]' if you trust them" in result.err
    result = rmldnn("rerun", "run", words[0])
    assert result.code == 0, result.err
    (again,) = Path("runs").glob("*/outputs/out_train.txt")
    assert np.loadtxt(again)[:, -2] == pytest.approx(wanted, rel=0, abs=0)


def test_a_job_has_them_too(plugged, train, config, pictures, capsys):
    plugged(LOSS)
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    assert cli.main(["submit", "config.json", "plugins=[my_package.my_module]", "--time", "30", "--print"]) == 0
    assert "config.json 'plugins=[my_package.my_module]'" in capsys.readouterr().out


def test_a_module_that_cannot_be_imported_is_told_with_its_line(plugged, train):
    plugged("import nothere\n" + LOSS)
    result = train("plugins=[my_package.my_module]", "loss=picked")
    assert result.code == 2
    assert (
        "plugins: `my_package.my_module` cannot be imported: ModuleNotFoundError: No module named 'nothere'"
        in result.err
    )
    assert "in line 1 of" in result.err
