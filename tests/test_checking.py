"""What `rmldnn check` finds in the parts of a run, and that a run finds it too."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from rmldnn.checking import check
from rmldnn.config import spec


@pytest.fixture
def found(pictures):
    """What is found in a configuration."""

    def found(config, *changes, **keys):
        (pictures / "config.json").write_text(json.dumps({"neural_network": config}, indent=2))
        return check(spec.load("config.json"), changes, **keys)

    return found


@pytest.fixture
def masks(pictures, config):
    """A configuration of a segmentation, whose last mask has a class too many."""
    for count in range(6):
        mask = np.zeros((12, 12), np.uint8)
        mask[:3] = 1
        mask[0] = 5 if count == 5 else 0
        for folder, picture in (("in", mask * 20), ("mask", mask)):
            Path(folder).mkdir(exist_ok=True)
            cv2.imwrite(f"{folder}/{count}.png", picture)
    layer = {"name": "c", "filters": 2, "kernel_size": 1, "activation": "softmax"}
    config["layers"] = [
        {"class_name": "Conv2D", "config": {**layer, "batch_input_shape": [None, None, None, 1]}},
    ]
    config["data"] = {"input_type": "images", "input_path": "in", "target_type": "masks", "target_path": "mask"}
    config["data"]["grayscale"] = True
    config["loss"] = {"function": "Dice"}
    return config


def messages(report):
    return [str(problem) for problem in report.problems]


def test_nothing(found, config):
    report = found(config)
    assert (messages(report), report.faults, report.warnings, report.exit_code) == ([], [], [], 0)
    assert report.samples == {"train": 22, "test": 6}


def test_all_parts_tell_their_faults_at_once(found, config):
    config["checkpoints"] = {"load": "none.pt", "save": "config.json/model"}
    config["layers"][0]["config"]["batch_input_shape"] = [None, 14, 14, 1]
    config["early_stopping"] = {"monitor": "test_IoU"}
    report = found(config)
    paths = {problem.path for problem in report.problems}
    assert paths == {"checkpoints.load", "checkpoints.save", "layers", "early_stopping.monitor"}
    assert all(problem.place.startswith("config.json:") for problem in report.problems)


def test_faults_of_both_sets(found, config):
    config["data"] |= {"input_path": "nothing/", "test_input_path": "neither/"}
    report = found(config)
    assert [fault.split(": ")[1] for fault in report.faults] == ["data.input_path", "data.test_input_path"]
    assert report.exit_code == 3


def test_a_mask_with_a_class_too_many(found, masks):
    (message,) = messages(found(masks))
    assert "the target holds class index 5, but the network has 2 outputs" in message
    assert "mask/5.png" in message


def test_a_run_finds_it_before_its_first_step(masks, train, pictures):
    result = train()
    assert result.code == 2
    assert "mask/5.png" in result.err
    assert not result.starting("Train Epoch")
    assert not (pictures / "runs").exists()


def test_another_source_than_the_last_activation(found, config):
    (warning,) = found(config, "loss.source=softmax").warnings
    assert warning.startswith("command line: loss.source: says that the output went through `softmax`, but")


def test_a_distance_of_logarithms(found, config):
    (warning,) = found(config, "loss=mse").warnings
    assert warning.startswith("command line: loss.function: measures a distance, but the network ends in `log_softmax`")


def test_a_run_warns_of_it(train):
    assert "ends in `log_softmax`" in train("loss.source=softmax", "num_epochs=1").out


def test_the_same_scores_by_another_name_are_no_doubt(found, config):
    config["layers"][-1]["config"]["activation"] = "linear"
    assert found(config, "loss.source=none").warnings == []


def test_a_checkpoint_of_another_network(found, config, train):
    assert train("num_epochs=1").code == 0
    config["layers"][0]["config"]["filters"] = 6
    (message,) = messages(found(config, "checkpoints.load=model/model_checkpoint_1.pt"))
    assert "has other shapes than the network" in message


def test_a_large_network_is_not_made(found, config):
    config["layers"][-1:-1] = [{"class_name": "Dense", "config": {"name": "wide", "units": 100_000}}]
    report = found(config)
    assert all(parameter.is_meta for parameter in report.network.parameters())
    assert messages(report) == []
    assert report.memory.weights == 4 * sum(parameter.numel() for parameter in report.network.parameters())


@pytest.mark.parametrize(("optimizer", "kept"), [("SGD", 0), ("Adam", 2), ("RMSprop", 1), ("LAMB", 2), ("Hessian", 0)])
@pytest.mark.parametrize("units", [2, 100_000], ids=["small", "without numbers"])
def test_what_optimizers_keep(found, config, optimizer, kept, units):
    config["optimizer"] = {"type": optimizer}
    config["layers"][-1:-1] = [{"class_name": "Dense", "config": {"name": "wide", "units": units}}]
    report = found(config)
    assert messages(report) == []
    assert 0 <= report.memory.optimizer - kept * report.memory.gradients < 200


def test_torch_has_its_compiler_afterwards_and_not_before(found, config):
    found(config)
    program = """
        import sys
        from rmldnn.checking import check
        from rmldnn.config import spec

        assert check(spec.load("config.json")).exit_code == 0
        assert "torch._dynamo" not in sys.modules
        import torch
        assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
        torch.optim.SGD([torch.nn.Parameter(torch.ones(1))])
        assert torch._dynamo.__file__
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
