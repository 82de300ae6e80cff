"""Every recipe composes; those that reach their number in a minute are trained fully."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rmldnn.config import spec, translate
from rmldnn.networks.compile import network

RECIPES = Path(__file__).parent.parent / "recipes"
CONFIGS = sorted(RECIPES.glob("*/*/config*.json"))


def test_there_are_recipes():
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(RECIPES)))
def test_recipe_composes_and_builds(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    composed = translate.compose(spec.load(path.name))
    assert composed.notices == []
    assert network(layers=composed.values["layers"]).num_operations > 0


def test_digits_reach_their_accuracy(tmp_path, monkeypatch, rmldnn):
    pytest.importorskip("sklearn")
    for name in ("config.json", "network.json", "prepare.py"):  # and no outputs of an earlier run
        shutil.copy(RECIPES / "classification" / "digits" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "prepare.py"], check=True, capture_output=True)
    result = rmldnn("config.json")
    assert (result.code, result.err) == (0, "")
    (row,) = result.starting("   Test accuracy")
    assert float(row.rsplit(" ", 1)[1]) >= 0.97
    for name in ("out_digits_train.txt", "model/model_checkpoint_12.pt", "predictions/output_12.h5"):
        assert Path(name).exists()
        assert name in result.out
