"""Keras' own counts of the network files that the original tool ships."""

import json
from pathlib import Path

import pytest

from rmldnn.verbs.summary import main

UPSTREAM = Path(__file__).resolve().parents[3] / "shared" / "upstream"
COUNTS = json.loads((UPSTREAM / "params.json").read_text()) if UPSTREAM.is_dir() else {}

pytestmark = pytest.mark.skipif(not COUNTS, reason="needs ../shared/upstream")


@pytest.mark.parametrize("file", COUNTS)
def test_counts_and_shapes_are_those_of_keras(file, capsys):
    assert main([str(UPSTREAM / file), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    wanted = COUNTS[file]
    assert facts["total_params"] == wanted["total"]
    assert facts["trainable_params"] == wanted["trainable"]
    assert facts["non_trainable_params"] == wanted["non_trainable"]
    assert facts["inputs"] == wanted["input_shapes"]
    assert facts["outputs"] == wanted["output_shapes"]
    assert facts["num_layers"] == wanted["layers"]
