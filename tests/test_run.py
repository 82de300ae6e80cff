"""Whole runs as a user starts them, one for each behaviour."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import cv2
import h5py
import numpy as np
import pytest
import torch


def accuracy(result):
    return float(result.starting("Eval")[-1].rsplit(" ", 1)[1])


def test_training_learns_and_says_where_everything_lies(train, pictures):
    result = train("num_epochs=8")
    assert (result.code, result.err) == (0, "")
    assert accuracy(result) == 1.0
    for name in ("out_train.txt", "out_test.txt", "model"):
        assert name in result.out
    assert result.lines[-1] == "All done (return value = 0)."
    assert sorted(path.name for path in (pictures / "model").iterdir()) == [
        f"model_checkpoint_{epoch}.pt" for epoch in range(1, 9)
    ]


def test_log_files_have_a_row_for_each_batch_and_each_epoch(train, pictures):
    assert train().code == 0
    rows = (pictures / "out_train.txt").read_text().splitlines()
    assert len([row for row in rows if not row.startswith("#")]) == 2 * 3
    tests = (pictures / "out_test.txt").read_text().splitlines()
    assert [re.match(r"Epoch: (\d+) ", row)[1] for row in tests] == ["1", "2"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(train):
    first, again, other = train(fresh=True), train(fresh=True), train("seed=1")
    losses = [[line.split("[Data")[0] for line in result.starting("Train Epoch")] for result in (first, again, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_preloaded_and_parallel_reading_change_nothing(train):
    runs = [train("data.num_workers=0"), train("data.num_workers=2"), train("data.preload=true")]
    losses = [[line.split("[Data")[0] for line in result.starting("Train Epoch")] for result in runs]
    assert losses[0]
    assert losses[0] == losses[1] == losses[2]
    assert runs[2].starting("Pre-loading training input images...")


def test_predictions_during_training_and_from_a_checkpoint_alone(train, pictures, config):
    assert train("data.test_output_path=./out/").code == 0
    with h5py.File(pictures / "out" / "output_2.h5") as file:
        expected = {f"{group}/{name}": file[group][name][()] for group in file for name in file[group]}
    assert len(expected) == 6
    assert expected["up/up_0.png"].shape == (2,)

    config["data"] = {"input_type": "images", "test_input_path": "./test/", "grayscale": True}
    config["checkpoints"] = {"load": "./model/model_checkpoint_2.pt"}
    for section in ("loss", "optimizer", "num_epochs"):
        del config[section]
    history = (pictures / "out_test.txt").read_text()
    result = train("data.test_output_path=./again/")
    assert (pictures / "out_test.txt").read_text() == history  # where nothing is measured, nothing is written over
    assert (result.code, result.err) == (0, "")
    assert result.starting("Eval") == ["Eval  Epoch [  1/  1] : Batch [    1/    1]"]
    assert not result.starting("----------------- Optimizer")
    with h5py.File(pictures / "again" / "output_1.h5") as file:
        for name, value in expected.items():
            np.testing.assert_allclose(file[name][()], value, rtol=1e-5, atol=1e-6)


def test_evaluation_alone(train, config):
    trained = train()
    del config["data"]["input_path"], config["optimizer"]
    config["checkpoints"] = {"load": "./model/model_checkpoint_2.pt"}
    result = train()
    assert result.code == 0
    assert result.starting("Eval")[-1].split(":", 1)[1] == trained.starting("Eval")[-1].split(":", 1)[1]


def test_weights_that_nothing_was_learned_by_are_told(train, config):
    words = "nothing is trained here, and no weights are loaded"
    assert words not in train("num_epochs=1").out
    config["data"] = {"input_type": "images", "test_input_path": "./test/", "grayscale": True}
    del config["optimizer"], config["loss"]
    assert words in train("outfile=null").out
    assert words not in train("outfile=null", "checkpoints.load=./model/model_checkpoint_1.pt").out


def test_evaluation_alone_leaves_the_training_history(train, pictures, config):
    train()
    history = (pictures / "out_train.txt").read_text()
    del config["data"]["input_path"], config["optimizer"]
    assert train().code == 0
    assert (pictures / "out_train.txt").read_text() == history


def test_training_without_test_data(train, config):
    del config["data"]["test_input_path"]
    result = train()
    assert result.code == 0
    assert result.starting("Train Epoch")
    assert not result.starting("Eval")


def test_checkpoints_every_second_epoch(train, pictures, config):
    config["checkpoints"]["interval"] = 2
    train("num_epochs=5")
    names = sorted(path.name for path in (pictures / "model").iterdir())
    assert names == ["model_checkpoint_2.pt", "model_checkpoint_4.pt", "model_checkpoint_5.pt"], "the last one always"


def test_a_loaded_checkpoint_is_where_training_starts(train, config):
    train("num_epochs=4")
    config["checkpoints"] = {"load": "./model/model_checkpoint_4.pt"}
    result = train("num_epochs=1", "optimizer.learning_rate=1e-9")
    assert result.starting("Loading model checkpoint from file: ./model/model_checkpoint_4.pt")
    assert accuracy(result) == 1.0


@pytest.mark.parametrize("optimizer", ["SGD", "adam", "AdamW", "rmsprop", "Adagrad"])
def test_every_optimizer_trains(train, config, optimizer):
    config["optimizer"] = {"type": optimizer, "learning_rate": 0.01}
    result = train("num_epochs=6")
    assert (result.code, accuracy(result)) == (0, 1.0)


def test_a_schedule_lowers_the_rate_and_says_so(train, config):
    config["optimizer"]["lr_scheduler"] = {"type": "Exponential", "gamma": 0.5}
    result = train()
    assert result.starting("---------- Learning rate scheduler ----------")
    assert result.starting("   Verbose: True")
    assert result.starting("Learning rate adjusted to 0.05")


@pytest.mark.parametrize(("loss", "activation"), [("MSE", "linear"), ("BCE", "sigmoid")])
def test_an_auto_encoder_learns_dense_targets(train, config, loss, activation):
    config["layers"] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 12, 12, 1]}},
        {"class_name": "Conv2D", "config": {"name": "a", "filters": 4, "kernel_size": 3, "padding": "same"}},
        {"class_name": "Conv2D", "config": {"name": "b", "filters": 1, "kernel_size": 1, "activation": activation}},
    ]
    config["data"] |= {"target_type": "images", "target_path": "./train/", "test_target_path": "./test/"}
    config["loss"] = {"function": loss}
    result = train("num_epochs=6")
    assert (result.code, result.err) == (0, "")
    losses = [float(re.search(r"Loss: ([0-9.]+)", line)[1]) for line in result.starting("Eval")]
    assert losses[-1] < losses[0]


def test_a_network_from_a_keras_file(train, pictures, config):
    (pictures / "net.json").write_text(
        json.dumps({"class_name": "Sequential", "config": {"name": "tiny", "layers": config["layers"]}})
    )
    config["layers"] = "./net.json"
    result = train()
    assert result.code == 0
    assert result.starting("   Model name          : tiny")


@pytest.fixture
def small_unet(config):
    """Keys of a network of the zoo that trains in no time; the configuration becomes one for it, two steps an epoch."""
    config["data"] |= {"target_type": "images", "target_path": "./train/", "batch_size": 11}
    del config["data"]["test_input_path"], config["layers"]
    config["loss"] = {"function": "MSE"}
    return {"filters": 2, "depth": 1, "norm": "none"}


def losses(result):
    return [line.split("[Data")[0] for line in result.starting("Train Epoch")]


def test_a_network_of_the_zoo_in_the_file_or_on_the_command_line(train, config, small_unet):
    config["network"] = {"type": "unet2d", **small_unet}
    named = losses(train("num_epochs=1"))
    config |= {"network": None, "layers": "./none.json"}
    chosen = losses(
        train("num_epochs=1", "network=UNet2D", *(f"network.{key}={small_unet[key]}" for key in small_unet))
    )
    assert len(named) == 2
    assert named == chosen


def test_the_log_names_a_network_of_the_zoo(train, config, small_unet):
    config["network"] = {"type": "unet2d", **small_unet}
    assert train().starting("   Model name          : unet2d")


def test_a_network_of_the_zoo_may_be_trained_as_by_the_original(train, config, small_unet):
    config["network"] = {"type": "unet2d", **small_unet}
    assert losses(train()) != losses(train("semantics=original"))


def test_a_yaml_file(pictures, config, rmldnn):
    (pictures / "config.yaml").write_text(json.dumps({"neural_network": config}))  # JSON is YAML
    assert rmldnn("config.yaml").code == 0


def test_interrupted_by_the_user_ends_with_130_and_leaves_whole_files(pictures, config):
    config["num_epochs"] = 100000
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    process = subprocess.Popen(
        [sys.executable, "-m", "rmldnn", "config.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for line in process.stdout:
        if "Epoch [  3/" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        r"rmldnn: stopped by SIGINT; the state is in `runs/config/state/.*`; go on with --resume\n", err
    )
    for path in (pictures / "model").iterdir():
        torch.load(path, weights_only=True)
    assert (pictures / "out_train.txt").read_text().endswith("\n")


def test_ended_by_a_signal_leaves_the_log_whole(pictures, config):
    config["num_epochs"] = 100000
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    process = subprocess.Popen([sys.executable, "-m", "rmldnn", "config.json"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "Epoch [  2/" in line:
            break
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert (pictures / "out_train.txt").read_text().endswith("\n")


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(pictures, config):
    config["num_epochs"] = 100000
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    process = subprocess.Popen(
        [sys.executable, "-m", "rmldnn", "config.json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


class TestBadInput:
    """Each is refused with its own message and exit code, before or without a traceback."""

    def refused(self, result, code, *messages):
        assert result.code == code, result.err
        assert "Traceback" not in result.err
        for message in messages:
            assert message in result.err

    def test_a_missing_configuration(self, rmldnn):
        self.refused(rmldnn("none.json"), 2, "none.json: no such configuration file")

    def test_broken_json(self, pictures, rmldnn):
        (pictures / "config.json").write_text('{"neural_network": {\n "num_epochs" 3}}')
        self.refused(rmldnn("config.json"), 2, "config.json:2: ", "a colon should follow the key `num_epochs`")

    def test_an_unknown_key(self, train, config):
        config["optimizer"]["learning_rat"] = 0.1
        self.refused(train(), 2, "`learning_rat`: unknown key in optimizer SGD; did you mean `learning_rate`?")

    def test_a_wrong_type(self, train, config):
        config["data"]["batch_size"] = "16"
        self.refused(train(), 2, 'data.batch_size: must be a positive integer or `auto`, got "16"')

    def test_a_missing_network_file(self, train, config):
        config["layers"] = "./none.json"
        self.refused(train(), 2, "./none.json")

    def test_a_shape_that_a_network_of_the_zoo_cannot_take(self, train):
        self.refused(train("network=resnet18", "network.input_shape=[12,12,1]"), 2, "command line: network.input_shape")

    def test_more_classes_than_a_network_of_the_zoo_has(self, train, pictures):
        shutil.copytree(pictures / "train" / "up", pictures / "train" / "left")
        words = ["network=unet2d", "network.num_classes=2", "network.depth=1", "network.filters=1", "network.norm=none"]
        self.refused(train(*words), 2, "network: the network has 2 outputs for 3 classes")

    def test_a_missing_folder(self, train, config):
        config["data"]["input_path"] = "./nowhere/"
        self.refused(train(), 3, "input_path", "./nowhere/")

    def test_an_empty_folder(self, train, pictures, config):
        (pictures / "empty").mkdir()
        config["data"]["input_path"] = "./empty/"
        self.refused(train(), 3, "input_path", "./empty/")

    @pytest.mark.parametrize("workers", [0, 2])
    def test_an_unreadable_image(self, train, pictures, workers):
        (pictures / "train" / "up" / "up_3.png").write_bytes(b"no picture")
        self.refused(train(f"data.num_workers={workers}"), 3, "train/up/up_3.png")

    def test_a_class_only_in_the_test_set(self, train, pictures):
        shutil.copytree(pictures / "test" / "up", pictures / "test" / "left")
        self.refused(train(), 3, "left")

    def test_pictures_of_another_size_than_the_network_takes(self, train, pictures, config):
        config["data"]["transforms"] = [{"resize": [16, 16]}]
        self.refused(train(), 2, "resize", "16")

    def test_colour_pictures_for_a_grey_network(self, train, config):
        config["data"]["grayscale"] = False
        self.refused(train(), 2, "`grayscale`: true")

    def test_pictures_of_different_sizes(self, train, pictures):
        cv2.imwrite(str(pictures / "train" / "up" / "up_3.png"), np.zeros((9, 9), np.uint8))
        self.refused(train(), 3, "up_3.png", "resize")

    def test_more_classes_than_outputs(self, train, pictures):
        shutil.copytree(pictures / "train" / "up", pictures / "train" / "left")
        self.refused(train(), 2, "3", "2")

    def test_a_checkpoint_of_another_network(self, train, config):
        train()
        config["layers"][-1]["config"]["units"] = 5
        config["checkpoints"] = {"load": "./model/model_checkpoint_2.pt"}
        self.refused(train(), 2, "checkpoints.load", "model_checkpoint_2.pt", "dense", "Rename")

    def test_a_missing_checkpoint(self, train, config):
        config["checkpoints"] = {"load": "./model/model_checkpoint_9.pt"}
        self.refused(train(), 2, "./model/model_checkpoint_9.pt")

    def test_a_file_in_the_place_of_an_output_folder(self, train, pictures, config):
        (pictures / "model").write_text("")
        self.refused(train(), 2, "checkpoints.save")

    def test_all_at_once(self, train, config):
        config["num_epochs"] = 0
        config["loss"]["function"] = "NLLL"
        config["data"]["batch_siz"] = 3
        result = train()
        self.refused(result, 2, "num_epochs", "NLLL", "batch_siz", "3 problems")

    def test_lenient_warns_and_goes_on(self, train, config):
        config["data"]["batch_siz"] = 3
        result = train("--lenient")
        assert result.code == 0
        assert "Warning: config.json:1: data.batch_siz: `batch_siz`: unknown key in data; did you mean" in result.out

    def test_a_network_without_anything_to_train(self, train, config):
        for layer in config["layers"]:
            layer["config"]["trainable"] = False
        self.refused(train(), 2, "layers: nothing can be trained")

    def test_an_empty_path(self, train, config):
        config["data"]["input_path"] = ""
        self.refused(train(), 2, 'data.input_path: must be a text that is not empty or null, got ""')

    def test_pictures_of_another_size_in_a_later_batch(self, train, pictures):
        cv2.imwrite(str(pictures / "train" / "up" / "up_3.png"), np.zeros((20, 20), np.uint8))
        self.refused(train("data.batch_size=1"), 3, "up_3.png", "resize")


def test_a_run_that_fails_before_its_first_step_leaves_the_history_of_another(train, pictures):
    train()
    history = (pictures / "out_train.txt").read_text(), (pictures / "out_test.txt").read_text()
    assert train("loss.weight=[1,2,3]").code == 2
    assert ((pictures / "out_train.txt").read_text(), (pictures / "out_test.txt").read_text()) == history


def test_deleted_keys_take_their_defaults(train):
    result = train("~num_epochs", "~optimizer.learning_rate")
    assert result.code == 0
    assert result.starting("   Learning rate: 0.01")
    assert "Epoch [  1/  1]" in result.out


def test_masks_train_a_segmentation_network(train, pictures, config):
    masks = pictures / "masks"
    for path in (pictures / "train").rglob("*.png"):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        (masks / path.parent.name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(masks / path.parent.name / path.name), (image > 100).astype(np.uint8))
    config["layers"] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 12, 12, 1]}},
        {
            "class_name": "Conv2D",
            "config": {"name": "a", "filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"},
        },
        {"class_name": "Conv2D", "config": {"name": "b", "filters": 2, "kernel_size": 1, "activation": "log_softmax"}},
    ]
    config["data"] |= {
        "target_type": "images",
        "target_path": "./masks/",
        "target_is_mask": True,
        "target_transforms": [{"normalize": {"std": 0.003921568}}],
    }
    del config["data"]["test_input_path"]
    result = train("num_epochs=3", "data.test_input_path=./train/", "data.test_target_path=./masks/")
    assert (result.code, result.err) == (0, "")
    assert accuracy(result) > 0.9


def test_more_outputs_than_the_masks_have_classes_are_told(train, pictures, config):
    for path in (pictures / "train").rglob("*.png"):
        pixels = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 100).astype(np.uint8) * 255
        cv2.imwrite(str(path), pixels)
    keys = {"name": "a", "filters": 3, "kernel_size": 1, "batch_input_shape": [None, 12, 12, 1]}
    config["layers"] = [{"class_name": "Conv2D", "config": {**keys, "activation": "log_softmax"}}]
    config["data"] |= {"target_type": "masks", "target_path": "./train/", "values": [0, 255]}
    del config["data"]["test_input_path"]
    words = "Warning: the network has 3 outputs, but the masks have 2 classes (`values`); a class that occurs nowhere"
    for changes in ((), ("data.preload=true",)):
        result = train("num_epochs=1", *changes)
        assert result.code == 0, result.err
        assert result.starting(words)
    keys["filters"] = 2
    config["layers"] = [{"class_name": "Conv2D", "config": {**keys, "activation": "log_softmax"}}]
    assert not train("num_epochs=1").starting("Warning: the network has")


def test_a_loss_takes_its_source_from_the_network(train, config):
    config["layers"] = [
        {
            "class_name": "Conv2D",
            "config": {"name": "a", "filters": 1, "kernel_size": 1, "batch_input_shape": [None, 12, 12, 1]},
        }
    ]
    config["data"] |= {"target_type": "images", "target_path": "./train/"}
    del config["data"]["test_input_path"]
    config["loss"] = {"function": "BCE"}
    implicit = train().starting("Train Epoch")
    explicit = train("loss.source=linear").starting("Train Epoch")
    assert implicit
    assert [line.split("[Data")[0] for line in implicit] == [line.split("[Data")[0] for line in explicit]


def test_a_whole_model_as_layers_brings_its_weights(pictures, config, train):
    from rmldnn import load_network, save_weights

    assert train().code == 0
    network = load_network(config["layers"], "./model/model_checkpoint_2.pt")
    save_weights(network, pictures / "w.weights.h5")
    layers = config["layers"]
    model = (
        {"class_name": "Sequential", "config": {"name": "m", "layers": layers}} if isinstance(layers, list) else None
    )
    assert model is not None
    import zipfile

    with zipfile.ZipFile(pictures / "whole.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.write(pictures / "w.weights.h5", "model.weights.h5")
    before = train("num_epochs=1", "optimizer.learning_rate=1e-9")
    result = train("num_epochs=1", "optimizer.learning_rate=1e-9", "layers=whole.keras", "checkpoints.load=null")
    assert result.code == 0
    assert result.starting("Loading model checkpoint from file: whole.keras")
    assert accuracy(result) >= accuracy(before)


def test_memory_that_does_not_suffice_is_no_fault_of_the_program(train, config):
    """More activations than a machine has addresses for."""
    large = {"class_name": "UpSampling2D", "config": {"name": "large", "size": 10**6}}
    config["layers"][3:4] = [large, {"class_name": "GlobalAveragePooling2D", "config": {"name": "mean"}}]
    config["layers"] = [layer for layer in config["layers"] if layer["class_name"] != "Flatten"]
    result = train()
    assert result.code == 1
    assert "the memory of CPU does not suffice" in result.err
    assert "data.batch_size" in result.err
    assert "not foreseen" not in result.err


def test_the_confusion_matrix_names_classes_and_labels_may_stand_in_a_table(train, pictures, config):
    rows = [f"{path.name},{path.parent.name}" for path in pictures.rglob("*.png")]
    (pictures / "labels.csv").write_text("\n".join(["file,class", *dict.fromkeys(rows)]))
    config["data"] |= {"target_type": "csv", "target_path": "labels.csv", "test_target_path": "labels.csv"}
    config["metrics"] = ["ConfusionMatrix"]
    by_table = train()
    assert (by_table.code, by_table.err) == (0, "")
    assert [line.split()[:2] for line in by_table.starting("   0 ") + by_table.starting("   1 ")] == [
        ["0", "down"],
        ["1", "up"],
    ]
    config["data"] = {key: value for key, value in config["data"].items() if "target_path" not in key}
    config["data"]["target_type"] = "labels"
    by_folder = train().starting("Eval")
    assert by_folder
    assert by_table.starting("Eval") == by_folder


def test_pictures_that_the_network_cannot_take_are_told_with_the_line_of_the_network(train, config):
    config["data"]["transforms"] = [{"resize": [10, 10]}]
    result = train()
    assert result.code == 2
    assert result.err.startswith(
        "rmldnn: error: config.json:1: layers: the network takes inputs of shape (N, 1, 12, 12), got (N, 1, 10, 10)"
    )


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["ema=0.9"], "ema: has no meaning"),
        (["scheduler=onecycle", "optimizer.lr_scheduler.cycle_momentum=true"], "cycle_momentum: the optimizer finds"),
    ],
)
def test_an_optimizer_that_keeps_two_sets_of_weights_takes_no_third(train, overrides, key):
    pytest.importorskip("schedulefree")
    result = train("optimizer=schedulefreeadamw", *overrides)
    assert result.code == 2
    assert key in result.err
