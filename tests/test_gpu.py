"""Whole runs on one GPU, as a user starts them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import cv2
import h5py
import numpy as np
import pytest
import torch

from rmldnn.config import spec
from rmldnn.engine.ranks import Ranks
from rmldnn.run import main
from tests.waiting import waits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and `-m gpu`"),
]

ON_CPU = {"CUDA_VISIBLE_DEVICES": ""}
EXACT = ("precision=fp32", "deterministic=true")


@pytest.fixture
def config(config):
    """The same with layers that a GPU computes in ways of its own."""
    config["layers"][0]["config"]["use_bias"] = False  # its gradient would be rounding, of which Adam makes whole steps
    config["layers"].insert(1, {"class_name": "BatchNormalization", "config": {"name": "norm"}})
    return config


@pytest.fixture
def train(train):
    """The same, with its own start of Python: what forks does not use a GPU."""
    return partial(train, fresh=True)


@pytest.fixture
def learned(train, pictures):
    """Trains in a process; gives the losses of all updates, those of the evaluations, and the last weights."""

    def learned(*overrides, num_epochs=2, **environment):
        if "--resume" not in overrides:
            shutil.rmtree(pictures / "run", ignore_errors=True)
        result = train(*overrides, f"num_epochs={num_epochs}", "run_folder=run", **environment)
        assert result.code == 0, result.err
        assert "compile=true" in overrides or result.err == ""  # torch.compile gives advice there
        events = [json.loads(line) for line in (pictures / "run" / "history.jsonl").read_text().splitlines()]
        losses = [event["loss"] for event in events if event["event"] == "step"]
        losses += [event["test_loss"] for event in events if event["event"] == "epoch"]
        return losses, torch.load(pictures / f"model/model_checkpoint_{num_epochs}.pt", weights_only=True)["model"]

    return learned


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_learns_what_the_cpu_learns_and_says_where(learned, train):
    assert "CUDA:0" in train("num_epochs=1").out
    losses, weights = learned(*EXACT)
    expected, others = learned(*EXACT, **ON_CPU)
    assert losses == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert {(value.device.type, value.dtype) for value in weights.values()} == {
        (value.device.type, value.dtype) for value in others.values()
    }


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_deterministic_run_gives_the_same_bits(learned, precision):
    runs = [learned("deterministic=true", f"precision={precision}") for _ in range(2)]
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])


def test_compiled_it_learns_the_same(learned):
    losses, _ = learned("precision=fp32", "compile=true")
    assert losses == pytest.approx(learned("precision=fp32")[0], rel=1e-3, abs=1e-4)


@pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs deepspeed")
@pytest.mark.parametrize("keys", [("zero=1",), ("zero=2", "offload=cpu"), ("zero=3",)], ids="-".join)
def test_by_deepspeed_it_learns_the_same_and_compiles_nothing(learned, tmp_path, keys):
    expected, _ = learned(*EXACT)
    keys = (f"engine.{key}" for key in (*keys, "precision=fp32"))
    losses, _ = learned("deterministic=true", *keys, TORCH_EXTENSIONS_DIR=str(tmp_path / "compiled"))
    assert losses == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert not (tmp_path / "compiled").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_state_goes_on_to_the_same_bits_and_on_the_cpu(learned, pictures, optimizer):
    keys = (*EXACT, f"optimizer={optimizer}", "ema=0.9", "checkpoints.state_interval=1e9")
    expected, weights = learned(*keys, num_epochs=4)
    for environment in ({}, ON_CPU):
        learned(*keys, num_epochs=2)
        losses, found = learned(*keys, "--resume", num_epochs=4, **environment)
        assert losses == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert same(found, weights) or environment


def test_a_state_of_the_cpu_goes_on(learned):
    expected, _ = learned(*EXACT, "optimizer=adam", num_epochs=4)
    learned(*EXACT, "optimizer=adam", **ON_CPU)
    losses, _ = learned(*EXACT, "optimizer=adam", "--resume", num_epochs=4)
    assert losses == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_it_leaves_when_told_to_and_goes_on(train, pictures, config, rmldnn):
    config["num_epochs"] = 2000
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    process = subprocess.Popen(
        [sys.executable, "-m", "rmldnn", "config.json", "run_folder=run", "checkpoints.interval=1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    next(line for line in process.stdout if "Epoch [   3/" in line or "Epoch [  3/" in line)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM; the state is in `run/state/epoch_" in err
    epoch = int(err.split("run/state/epoch_")[1].split("_")[0].rstrip("`;,. \n"))
    result = rmldnn("config.json", "run_folder=run", "--resume", f"num_epochs={epoch + 1}")
    assert (result.code, result.err) == (0, "")


def test_predictions_are_those_of_the_cpu(learned, train, pictures, config):
    learned()
    config["data"] = {"input_type": "images", "test_input_path": "./test/", "grayscale": True}
    config["checkpoints"] = {"load": "./model/model_checkpoint_2.pt"}
    for section in ("loss", "optimizer", "outfile", "num_epochs"):
        del config[section]

    def predictions(*overrides, **environment):
        result = train("data.test_output_path=./out/", *overrides, **environment)
        assert (result.code, result.err) == (0, "")
        with h5py.File(pictures / "out" / "output_1.h5") as file:
            return {f"{group}/{name}": file[group][name][()] for group in file for name in file[group]}

    expected = predictions(**ON_CPU)
    assert len(expected) == 6
    for precision, tolerance in (("fp32", 1e-4), ("auto", 5e-3), ("bf16", 5e-2), ("fp16", 5e-3)):
        found = predictions(f"precision={precision}")
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance)


def test_a_batch_size_is_found(train):
    result = train("data.batch_size=auto")
    assert (result.code, result.err) == (0, "")
    assert result.starting("Batch size (automatic): ")


def test_a_whole_run_seldom_waits_for_the_device(pictures, config, monkeypatch):
    """The plain log reads two numbers of at most a hundred updates of an epoch; all but files of weights reads many."""
    for name in ("down", "up"):
        image = cv2.imread(str(pictures / "train" / name / f"{name}_0.png"), cv2.IMREAD_GRAYSCALE)
        for index in range(11, 400):
            cv2.imwrite(str(pictures / "train" / name / f"{name}_{index}.png"), image)
    config["data"] |= {"batch_size": 2, "preload": True}
    config |= {"ema": 0.9, "gradient_clip": 1.0, "metrics": ["F1"]}
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    with waits() as places:
        main(spec.load("config.json"), ["num_epochs=2"], Ranks(), console="plain")
    in_the_log = [place for place in places if "/output/plain.py:" in place]
    others = [place for place in places if not any(known in place for known in ("/output/plain.py:", "/storage.py:"))]
    counts = {place: others.count(place) for place in sorted(set(others))}
    assert len(in_the_log) <= 2 * 2 * 110
    assert max(counts.values(), default=0) <= 40, counts  # of 800 updates


def segmentation(pictures, config, value):
    """Changes the configuration to one of masks, one of whose pixels has a value."""
    for which in ("inputs", "masks"):
        (pictures / which).mkdir()
        for index in range(4):
            image = np.zeros((12, 12), np.uint8)
            image[3, 4] = 0 if which == "inputs" else value
            cv2.imwrite(str(pictures / which / f"{index}.png"), image)
    layer = {"filters": 2, "kernel_size": 1, "activation": "log_softmax", "batch_input_shape": [None, 12, 12, 1]}
    config["layers"] = [{"class_name": "Conv2D", "config": {"name": "conv", **layer}}]
    config["data"] = {
        "input_type": "images",
        "target_type": "masks",
        "input_path": "./inputs/",
        "target_path": "./masks/",
        "batch_size": 2,
        "grayscale": True,
        "target_is_mask": True,
        "target_transforms": [{"normalize": {"std": 0.003921568}}],
    }


def test_a_segmentation_is_deterministic(train, pictures, config):
    segmentation(pictures, config, 1)
    result = train("deterministic=true")
    assert (result.code, result.err) == (0, "")


def test_a_class_without_an_output_is_named(train, pictures, config):
    segmentation(pictures, config, 7)
    expected = train(**ON_CPU)
    assert "class index 7" in expected.err
    result = train()
    assert (result.code, result.err) == (expected.code, expected.err)


def test_memory_that_does_not_suffice_is_no_fault_of_the_program(train, config):
    """Some 400 GB of activations."""
    large = {"class_name": "UpSampling2D", "config": {"name": "large", "size": 12000}}
    config["layers"][3:4] = [large, {"class_name": "GlobalAveragePooling2D", "config": {"name": "mean"}}]
    config["layers"] = [layer for layer in config["layers"] if layer["class_name"] != "Flatten"]
    result = train("precision=fp32")
    assert result.code == 1
    assert "memory" in result.err
    assert "data.batch_size" in result.err
    assert "not foreseen" not in result.err


def test_two_processes_on_one_gpu_are_refused(pictures, config):
    if torch.cuda.device_count() > 1 or find_spec("deepspeed") is None:
        pytest.skip("needs one GPU alone, and deepspeed")
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    run = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29617"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "rmldnn", "config.json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **run, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    said = []
    try:
        for process in processes:
            said.append(process.communicate(timeout=90)[1])
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [1, 1]
    assert any("start one process for each GPU" in words for words in said), said
    assert not any("not foreseen" in words for words in said), said
