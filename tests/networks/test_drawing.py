"""Drawings: a box for every operation, an arrow for every tensor."""

import shutil

import pytest

from rmldnn.networks.compile import network
from rmldnn.networks.drawing import dot, draw

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 8, 3]}}
DENSE = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "relu"}}


def test_activations_inside_layers_have_boxes():
    text = dot(network(layers=[INPUT, DENSE]))
    assert '"d" [label="d\\n[dense]\\n(8 8 2)"];' in text
    assert '"d_activation" [label="d_activation\\n[relu]\\n(8 8 2)"];' in text
    assert '"in" -> "d";' in text
    assert '"d" -> "d_activation";' in text


def test_arrows_go_into_nested_models_and_out():
    inner = {"class_name": "Functional", "name": "m", "config": {"layers": [{**INPUT, "name": "x"}, DENSE]}}
    text = dot(network(layers=[INPUT, {**inner, "inbound_nodes": [[["in", 0, 0, {}]]]}, {**DENSE, "name": "end"}]))
    assert '"in" -> "m.x";' in text
    assert '"m.d_activation" -> "end";' in text


def test_files_are_called_after_the_network(tmp_path):
    model = {"class_name": "Sequential", "config": {"name": "a/b", "layers": [INPUT, DENSE]}}
    paths = draw(network(layers=model), tmp_path)
    assert paths[0].name == "a_b.dot"
    assert len(paths) == 1 + bool(shutil.which("dot"))


@pytest.mark.skipif(not shutil.which("dot"), reason="needs GraphViz")
def test_graphviz_understands_it(tmp_path):
    assert "<svg" in draw(network(layers=[INPUT, DENSE]), tmp_path)[1].read_text()
