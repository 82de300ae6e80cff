"""What is written is read back as the same graph."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmldnn.networks.keras import read
from rmldnn.networks.writing import write

SHARED = Path(__file__).resolve().parents[3] / "shared"
FILES = sorted([*SHARED.glob("oracle/k*/*/model.json"), *SHARED.glob("upstream/networks/**/network.json")])


@st.composite
def models(draw):
    """A random graph of dense layers, sums and a nested model, some of them shared."""
    layers = [{"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4]}}]
    tensors = [["in", 0, 0, {}]]
    for index in range(draw(st.integers(1, 5))):
        name = f"layer{index}"
        kind = draw(st.sampled_from(["Dense", "Add", "Activation", "Functional"]))
        if kind == "Add":
            calls = [[draw(st.sampled_from(tensors)), draw(st.sampled_from(tensors))]]
        else:
            calls = [[draw(st.sampled_from(tensors))] for _ in range(draw(st.integers(1, 2)))]
        config = {"Dense": {"units": 4}, "Activation": {"activation": "hard_sigmoid"}}.get(kind, {})
        if kind == "Functional":
            config = {"layers": [{**layers[0]}, {"class_name": "Dense", "config": {"name": "inner", "units": 4}}]}
        layers.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": calls})
        first = kind == "Functional"
        tensors += [[name, first + call, 0, {}] for call in range(len(calls))]
    config = {"name": "net", "layers": layers, "output_layers": [draw(st.sampled_from(tensors[1:]))[:3]]}
    return {"class_name": "Functional", "config": config, "keras_version": "2.8.0"}


@given(models())
def test_writing_is_the_inverse_of_reading(model):
    graph = read(model)
    written = json.loads(json.dumps(write(graph)))
    assert read(written) == graph
    assert write(read(written)) == written


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_files_of_keras_are_stable(path):
    first = json.loads(json.dumps(write(read(str(path)))))
    assert json.loads(json.dumps(write(read(first)))) == first
