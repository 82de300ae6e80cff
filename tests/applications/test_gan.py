"""Trainings of two networks as a user runs them."""

import copy
import csv
import json
import re
import shutil
import signal

import cv2
import h5py
import numpy as np
import pytest
import torch

from rmldnn import load_network, save_weights
from tests.conftest import CONFIG
from tests.test_parallel import torchrun
from tests.test_resume import assert_same, started

GENERATOR = [
    {
        "class_name": "Dense",
        "config": {"name": "grow", "units": 72, "activation": "relu", "batch_input_shape": [None, 6]},
    },
    {"class_name": "Reshape", "config": {"name": "shape", "target_shape": [6, 6, 2]}},
    {"class_name": "BatchNormalization", "config": {"name": "norm"}},
    {
        "class_name": "Conv2DTranspose",
        "config": {
            "name": "picture", "filters": 1, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "sigmoid",
        },
    },
]  # fmt: skip
DISCRIMINATOR = [
    {
        "class_name": "Conv2D",
        "config": {
            "name": "conv", "filters": 4, "kernel_size": 4, "strides": 2, "batch_input_shape": [None, 12, 12, 1],
        },
    },
    {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": 0.2}},
    {"class_name": "Flatten", "config": {"name": "flatten"}},
    {"class_name": "Dense", "config": {"name": "score", "units": 1}},
]  # fmt: skip
RATE = {"type": "SGD", "learning_rate": 0.01, "momentum": 0.5}
PENALTY = {"function": "Wasserstein", "gradient_penalty": 10.0}
CLIP = {"function": "Wasserstein", "clip": 0.05}
GAN = {
    "task": {"type": "gan", "critic_steps": 2, "samples_every": 1},
    "num_epochs": 2,
    "outfile": "out.txt",
    "run_folder": "run",
    "layers": {"generator": GENERATOR, "discriminator": DISCRIMINATOR},
    "data": {
        "input_type": "images",
        "input_path": "./train/",
        "test_input_path": "./test/",
        "batch_size": 7,
        "test_batch_size": 4,
        "grayscale": True,
    },
    "loss": PENALTY,
    "optimizer": {"generator": RATE, "discriminator": {**RATE, "learning_rate": 0.02}},
    "checkpoints": {"save": "./model/"},
}


@pytest.fixture
def config():
    """Pictures without labels, and a Wasserstein GAN of a few weights."""
    return copy.deepcopy(GAN)


@pytest.fixture
def classifier(pictures, fork_server):
    """The classifier of the pictures, trained."""
    keys = {**CONFIG, "num_epochs": 6, "outfile": None, "checkpoints": {"save": "./classifier/", "interval": 6}}
    (pictures / "classifier.json").write_text(json.dumps({"neural_network": keys}))
    result = fork_server(pictures, "classifier.json")
    assert result.code == 0, result.err
    return {"layers": CONFIG["layers"], "load": "./classifier/model_checkpoint_6.pt"}


def conditional(config, classes=2):
    """Makes both networks know of classes."""
    config["task"]["conditional"] = True
    config["data"]["target_type"] = "labels"
    config["layers"]["generator"][0]["config"]["batch_input_shape"] = [None, 6 + classes]
    config["layers"]["discriminator"][0]["config"]["batch_input_shape"] = [None, 12, 12, 1 + classes]


def rows(pictures):
    return np.loadtxt(pictures / "out_train.txt")


def table(pictures):
    """Numbers of the epochs, by name."""
    with (pictures / "run" / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def trained(pictures, epoch=2):
    return torch.load(pictures / "model" / f"model_checkpoint_{epoch}.pt", weights_only=True)["model"]


@pytest.mark.parametrize("loss", [PENALTY, CLIP, {"function": "GAN"}, "LeastSquares", "hinge"], ids=str)
def test_every_loss_trains_both_networks(train, pictures, config, loss):
    config["loss"] = loss
    result = train("num_epochs=1")
    assert result.code == 0, result.err
    before = trained(pictures, 1)
    assert train("num_epochs=2", "--resume").code == 0
    moved = {name.split(".")[0] for name, value in trained(pictures).items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "discriminator"}


def test_the_generator_learns_from_every_so_manieth_batch(train, pictures):
    result = train()
    assert result.code == 0, result.err
    lines = [json.loads(line) for line in (pictures / "run" / "history.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["event"] == "step"]
    assert ["generator_loss" in step for step in steps] == [False, True, False, True] * 2
    assert len(result.starting("Train Epoch")) == 8
    assert [("generator: " in line) for line in result.starting("Train Epoch")] == [False, True, False, True] * 2
    first, second = table(pictures)
    assert float(first["train_generator_loss"]) == pytest.approx(
        np.average([steps[1]["generator_loss"], steps[3]["generator_loss"]], weights=[7, 1])
    )
    assert second["test_loss"]


def test_a_run_is_made_again_with_the_network_files_of_that_time(train, pictures, config, fork_server):
    for part, layers in (("generator", GENERATOR), ("discriminator", DISCRIMINATOR)):
        (pictures / f"{part}.json").write_text(json.dumps(layers))
        config["layers"][part] = f"{part}.json"
    assert train("num_epochs=1").code == 0
    before = trained(pictures, 1)
    (pictures / "generator.json").unlink()
    (pictures / "discriminator.json").write_text("[]")
    result = fork_server(pictures, "rerun", "run", "run_folder=again")
    assert result.code == 0, result.err
    assert len(result.starting("Warning: layers.")) == 2
    again = torch.load(pictures / "again" / "outputs" / "model" / "model_checkpoint_1.pt", weights_only=True)["model"]
    assert all(torch.equal(value, before[name]) for name, value in again.items())


def test_more_steps_than_an_epoch_has_batches_count_on(train, pictures):
    assert train("task.critic_steps=5").code == 0
    steps = [json.loads(line) for line in (pictures / "run" / "history.jsonl").read_text().splitlines()]
    assert [(step["epoch"], step["batch"]) for step in steps if "generator_loss" in step] == [(2, 1)]


def test_weights_of_the_critic_are_clipped(train, pictures, config):
    config["loss"] = CLIP
    assert train().code == 0
    largest = {name: float(value.abs().max()) for name, value in trained(pictures).items()}
    assert all(value <= 0.0501 for name, value in largest.items() if name.startswith("discriminator"))
    assert largest["generator.grow.weight"] > 0.05


def test_pictures_of_samples_come_with_the_epochs(train, pictures):
    assert train("task.samples_every=2", "num_epochs=3", "data.test_output_path=./samples/").code == 0
    names = {path.name for path in (pictures / "samples").iterdir()}
    assert names == {"samples_2.png", "samples_3.png", "interpolation_3.png"}
    assert cv2.imread(str(pictures / "samples" / "samples_3.png")).shape[0] == 10 * (24 + 2) + 2


@pytest.mark.parametrize("known", [False, True])
def test_a_classifier_measures_samples(train, pictures, config, classifier, known):
    if known:
        conditional(config)
    config["task"]["classifier"] = classifier
    config["checkpoints"]["keep"] = {"best": "test_FID"}
    result = train()
    assert result.code == 0, result.err
    last = table(pictures)[-1]
    assert float(last["FID"]) > 0
    assert float(last["modes"]) in (1, 2)
    assert ("agreement" in last) == known
    assert (pictures / "model" / "model_checkpoint_best.pt").exists()


@pytest.mark.parametrize("known", [False, True])
def test_a_run_without_data_makes_samples(train, pictures, config, known):
    if known:
        conditional(config)
    assert train().code == 0
    options = "checkpoints.load=./model/model_checkpoint_2.pt", "data.input_path=null", "data.test_input_path=null"
    result = train(*options, "task.num_samples=12", "data.test_output_path=./made/", "outfile=null")
    assert result.code == 0, result.err
    with h5py.File(pictures / "made" / "samples_1.h5") as file:
        names = [f"{group}/{name}" for group in file for name in file[group]] if known else list(file)
        assert len(names) == 12
        assert file[names[0]].shape == (1, 12, 12)
        assert 0 <= file[names[0]][()].min() < file[names[0]][()].max() <= 1
    assert (pictures / "made" / "samples_1.png").exists()
    assert "no weights are loaded" not in result.out
    assert "no weights are loaded" in train("checkpoints.load=null", *options[1:], "task.num_samples=1").out


def test_an_evaluation_gives_what_the_training_gave(train, pictures, config, classifier):
    config["task"]["classifier"] = classifier
    last = train().starting("Eval  Epoch [  2/  2] : FID")
    result = train("checkpoints.load=./model/model_checkpoint_2.pt", "data.input_path=null", "run_folder=null")
    assert result.code == 0, result.err
    assert result.starting("Eval  Epoch [  1/  1] : FID")[0].split(":")[1] == last[0].split(":")[1]


@pytest.mark.parametrize(
    "options",
    [
        ("precision=bf16",),
        ("precision=fp16", "loss=hinge"),
        ("channels_last=true",),
        ("accumulate=2", "gradient_clip=0.5"),
        ("ema=0.9",),
        ("deterministic=true",),
        ("early_stopping.monitor=train_loss", "early_stopping.patience=1"),
    ],
    ids=" ".join,
)
def test_ways_to_compute_work(train, options):
    result = train(*options)
    assert result.code == 0, result.err


def test_a_mean_of_the_weights_belongs_to_turns(train, pictures):
    """Were the generator's mean moved in turns of the critic too, it would be nearer to the weights."""
    assert train("ema=0.9", "task.critic_steps=8", "optimizer.generator.learning_rate=1").code == 0
    mean, weights = trained(pictures), torch.load(next((pictures / "run" / "state").glob("*/network.pt")))
    state = torch.load(next((pictures / "run" / "state").glob("*/engine.pt")))["average"]["updates"]
    name = "generator.grow.weight"
    assert state == 8 + 1
    assert not torch.equal(mean[name], weights[name])


@pytest.mark.slow
@pytest.mark.parametrize("loss", [PENALTY, CLIP, {"function": "GAN"}], ids=lambda loss: "-".join(map(str, loss)))
@pytest.mark.parametrize("processes", [2, 3])
def test_many_processes_learn_what_one_does(train, pictures, config, classifier, loss, processes):
    config["loss"] = loss
    config["task"]["classifier"] = classifier
    conditional(config)
    alone = train()
    assert alone.code == 0, alone.err
    expected, numbers = rows(pictures), table(pictures)
    shutil.rmtree(pictures / "run")
    many = train(launcher=torchrun(processes))
    assert many.code == 0, many.err
    np.testing.assert_allclose(rows(pictures)[:, 4:], expected[:, 4:], atol=1e-4, rtol=1e-4)
    for one, other in zip(numbers, table(pictures), strict=True):
        for name in ("train_generator_loss", "test_loss", "FID", "modes", "agreement"):
            assert float(other[name]) == pytest.approx(float(one[name]), rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_a_run_that_is_killed_in_an_epoch_goes_on_to_the_same_bits(pictures, config, rmldnn):
    config["num_epochs"] = 30
    config["task"]["samples_every"] = 30
    del config["data"]["test_input_path"]  # most of the time is that of the training
    config["data"]["batch_size"] = 2
    adam = {"type": "Adam", "learning_rate": 1e-3, "beta1": 0.5}
    config["optimizer"] = {
        "generator": {**adam, "lr_scheduler": {"type": "Exponential", "gamma": 0.97, "verbose": False}},
        "discriminator": adam,
    }
    config["ema"] = 0.9
    config["checkpoints"] = {"save": "./model/", "interval": 30, "state_interval": 0.02}
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))

    def outcome():
        lines = [line.split(maxsplit=1)[-1] for line in (pictures / "out_train.txt").read_text().splitlines()]
        history = (pictures / "run" / "history.jsonl").read_text()
        history = re.sub(r'"(train_|test_)?seconds": [\d.e-]+', "", history)
        return trained(pictures, 30), lines, history

    assert rmldnn("config.json").code == 0
    expected = outcome()
    for name in ("model", "run"):
        shutil.rmtree(pictures / name)
    process = started()
    for text in process.stdout:
        if "Epoch [  9/ 30] : Batch [    5/" in text:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    result = rmldnn("config.json", "--resume")
    assert result.code == 0, result.err
    assert re.search(r"Going on with epoch \d+, behind [1-9]\d* of its samples", result.out), result.out
    assert_same(outcome(), expected)


def broken(config, part, **changes):
    layer = config["layers"][part][0 if part == "discriminator" else -1]["config"]
    layer.update(changes)


def judging(config, layers):
    """Gives a classifier of such layers, with weights in a file."""
    save_weights(load_network(layers), "classifier.pt")
    config["task"]["classifier"] = {"layers": layers, "load": "classifier.pt"}


def classifying(channels=1, size=12, units=2):
    """Layers of a classifier."""
    return [
        {"class_name": "Flatten", "config": {"name": "flatten", "batch_input_shape": [None, size, size, channels]}},
        {"class_name": "Dense", "config": {"name": "dense", "units": units}},
    ]


def of_classes(config):
    """Both networks know of two classes; the classifier of three."""
    conditional(config)
    judging(config, classifying(units=3))


def ending_in_tanh(config):
    config["layers"]["discriminator"][-1]["config"]["activation"] = "tanh"
    config["loss"] = "GAN"


FAULTS = {
    "task.classifier.layers: the network takes inputs of shape (N, 3, 12, 12), got (N, 1, 12, 12)": lambda config: (
        judging(config, classifying(channels=3))
    ),
    "task.classifier.layers: the network takes inputs of shape (N, 1, 16, 16), got (N, 1, 12, 12)": lambda config: (
        judging(config, classifying(size=16))
    ),
    "task.classifier.layers: the classifier tells 3 classes, but 2 are asked for": of_classes,
    "task.classifier.layers: the classifier has no layer with weights": lambda config: judging(
        config, classifying()[:1]
    ),
    "loss.function: takes probabilities (`sigmoid`) or scores (`linear`), but the discriminator ends in `tanh`": (
        ending_in_tanh
    ),
    "the generator gives samples of [12, 12, 2], but the discriminator takes [12, 12, 1]": lambda config: broken(
        config, "generator", filters=2
    ),
    "layers.discriminator.conv (Conv2D).filter: `filter`: unknown key": lambda config: broken(
        config, "discriminator", filter=3
    ),
    "loss.gradient_penalty: is of each sample by itself": lambda config: config["layers"]["discriminator"].insert(
        1, {"class_name": "BatchNormalization", "config": {"name": "norm"}}
    ),
    "loss.function: takes scores of any size, but the discriminator ends in `sigmoid`": lambda config: config["layers"][
        "discriminator"
    ][-1]["config"].update(activation="sigmoid"),
    "optimizer.generator.type: keeps its own course": lambda config: config["optimizer"].update(
        generator={"type": "Hessian"}
    ),
    "optimizer.discriminator.parameters[0].layers: `grow` matches the name of no layer": lambda config: config[
        "optimizer"
    ]["discriminator"].update(parameters=[{"layers": "grow", "learning_rate": 1}]),
    "task.classifier: `load` is missing": lambda config: config["task"].update(classifier={"layers": []}),
    "task.classifier.lod: `lod`: unknown key": lambda config: config["task"].update(classifier={"lod": ""}),
    "there are 2 classes; give both networks one channel more for each class": lambda config: conditional(config, 3),
    "layers.discriminator: the network takes inputs of shape (N, 1, 12, 12), got (N, 1, 11, 11)": lambda config: config[
        "data"
    ].update(transforms=[{"resize": [11, 11]}]),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_does_not_fit_is_told_before_the_training(train, config, message):
    FAULTS[message](config)
    result = train()
    assert result.code != 0
    assert message in result.err
    assert "Traceback" not in result.err
    assert not result.starting("Train Epoch")


def test_networks_that_do_not_fit_are_told_with_both_places(train, pictures):
    """The fault may be of either, such as of the one that the command line has changed."""
    (pictures / "other.json").write_text(json.dumps(DISCRIMINATOR))
    result = train("layers.generator=./other.json")
    assert re.search(r"command line: layers\.generator: the generator gives samples of \[1\], but", result.err)
    assert re.search(r"config\.json:\d+: layers\.discriminator: the discriminator takes samples of", result.err)


def test_arrays_need_no_targets(train, pictures, config):
    for which in ("train", "test"):
        (pictures / f"arrays_{which}").mkdir()
        for path in (pictures / which).glob("*/*.png"):
            np.save(pictures / f"arrays_{which}" / f"{path.stem}.npy", cv2.imread(str(path), 0)[None] / np.float32(255))
    config["data"] = {"type": "numpy", "input_path": "./arrays_train/", "test_input_path": "./arrays_test/"}
    result = train("num_epochs=1")
    assert result.code == 0, result.err


def test_a_user_may_say_what_a_discriminator_gives(train, config):
    config["layers"]["discriminator"][-1]["config"]["activation"] = "relu"
    config["loss"] = {"function": "GAN", "source": "linear"}
    result = train("num_epochs=1")
    assert result.code == 0, result.err


def test_tanh_beside_samples_that_are_not_negative_is_doubted(train, config):
    config["layers"]["generator"][-1]["config"]["activation"] = "tanh"
    assert 'give them the transform {"normalize": {"mean": 0.5, "std": 0.5}}' in train("num_epochs=1").out


def test_families_of_the_zoo_take_part(train, pictures, config):
    del config["layers"]
    config["network"] = {
        "generator": {"type": "dcgan_generator", "latent": 4, "image_shape": [12, 12, 1], "filters": 4},
        "discriminator": {"type": "dcgan_discriminator", "input_shape": [12, 12, 1], "filters": 4},
    }
    config["data"]["transforms"] = [{"normalize": {"mean": 0.5, "std": 0.5}}]
    config["loss"] = "GAN"
    result = train("num_epochs=1", "network.generator.latent=5")
    assert result.code == 0, result.err
    assert trained(pictures, 1)["generator.project.weight"].shape[1] == 5


def test_a_family_without_batch_normalisation_takes_the_penalty(train, config):
    del config["layers"]["discriminator"]
    keys = {"type": "dcgan_discriminator", "input_shape": [12, 12, 1], "filters": 4, "activation": "linear"}
    config["network"] = {"discriminator": {**keys, "batch_norm": False}}
    result = train("num_epochs=1")
    assert result.code == 0, result.err
