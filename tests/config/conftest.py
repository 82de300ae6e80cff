import copy
import json

import pytest

CLASSIFIER = {
    "num_epochs": 2,
    "layers": "./network.json",
    "data": {
        "input_type": "images",
        "target_type": "labels",
        "input_path": "./train/",
        "test_input_path": "./test/",
        "grayscale": True,
        "transforms": [{"resize": [28, 28]}, {"normalize": {"mean": 0.5, "std": 0.25}}],
    },
    "loss": {"function": "NLL"},
    "optimizer": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.5},
}


@pytest.fixture
def classifier():
    """The content of a correct configuration, to be spoilt."""
    return copy.deepcopy(CLASSIFIER)


@pytest.fixture
def write(tmp_path):
    """Writes a configuration file and returns its path."""

    def write_config(content, name="config.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps({"neural_network": content}, indent=1)
        path.write_text(text)
        return path

    return write_config
