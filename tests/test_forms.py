"""A configuration is the same run as JSON, as Hydra has it, and as nothing but choices and values of a command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rmldnn.config.groups import ROOT
from rmldnn.config.reader import read

RECIPES = Path(__file__).parent.parent / "recipes"
PREPARED = {"classification/digits": (), "segmentation/pets": ("--stand-in",), "gan/digits": ()}
"""Recipes with layers, with a family of networks and a sum of losses, and with a pair; and options of `prepare.py`."""
GROUPS = {
    "task.type": "task",
    "network.type": "network",
    "loss.function": "loss",
    "optimizer.type": "optimizer",
    "optimizer.lr_scheduler.type": "scheduler",
    "data.input_type": "data",
    "data.target_type": "target",
}
"""Keys that choose a component, and the groups of `conf/` that do so."""
SAVED = ("num_epochs=1", "run_folder=run", "checkpoints.save=./model/", "checkpoints.interval=1")

pytestmark = pytest.mark.slow


def spoken(values, path=""):
    """A configuration as words of a command line: components first, and then their keys."""
    chosen = [key for key in values if f"{path}{key}" in GROUPS]
    for key in [*chosen, *(key for key in values if key not in chosen)]:
        here, value = f"{path}{key}", values[key]
        if here in GROUPS:
            yield f"{GROUPS[here]}={value}"
        elif isinstance(value, dict) and value:
            yield from spoken(value, f"{here}.")
        else:
            yield f"{here}={json.dumps(value)}"


def results():
    """Losses of all batches and evaluations, and the weights; takes the files away."""
    (weights,) = Path("model").glob("*_1.pt")
    found = torch.load(weights, weights_only=True)["model"]
    rows = {
        path.name: [line.split()[1:] for line in path.read_text().splitlines()] for path in Path().glob("out*_t*.txt")
    }
    shutil.rmtree("model")
    for name in rows:
        Path(name).unlink()
    return rows, found


def assert_three_forms_agree(file, run):
    def result(*words):
        done = run(Path.cwd(), *words, *SAVED)
        assert done.code == 0, done.err
        shutil.rmtree("run")
        return results()

    rows, weights = result(file)
    assert rows
    translated = run(Path.cwd(), "translate", file, "--out", "conf")
    assert translated.code == 0, translated.err
    document = read(file).value[ROOT]
    if isinstance(document.get("layers"), list):  # which a command line names by a file
        Path("layers.json").write_text(json.dumps(document["layers"]))
        document["layers"] = "./layers.json"
    for words in (("conf",), tuple(spoken(document))):
        other_rows, other_weights = result(*words)
        assert other_rows == rows, words
        assert other_weights.keys() == weights.keys()
        assert all(torch.equal(other_weights[name], value) for name, value in weights.items()), words


def test_of_a_small_run(pictures, config, fork_server):
    (pictures / "config.json").write_text(json.dumps({ROOT: config}))
    assert_three_forms_agree("config.json", fork_server)


def test_of_the_originals_own(shared, tmp_path, monkeypatch, fork_server):
    shutil.copytree(shared / "upstream" / "smoke_tests", tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path)
    assert_three_forms_agree("config_rmldnn_test.json", fork_server)


@pytest.mark.parametrize("name", PREPARED)
def test_of_a_recipe(name, tmp_path, monkeypatch, fork_server):
    pytest.importorskip("sklearn")
    for path in (RECIPES / name).iterdir():
        if path.suffix in {".json", ".py"}:
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "prepare.py", *PREPARED[name]], check=True)
    if name == "gan/digits":  # whose classifier is trained by another configuration
        content = read("config.json").value
        del content[ROOT]["task"]["classifier"]
        Path("config.json").write_text(json.dumps(content))
    assert_three_forms_agree("config.json", fork_server)
