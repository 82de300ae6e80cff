import contextlib
import json
import os
import re
import zipfile
from random import Random

import pytest
import torch
from torch import nn

import rmldnn
from rmldnn import load_network
from rmldnn.engine.checkpoint import checkpoints
from rmldnn.errors import CheckpointError, ConfigError
from rmldnn.networks import weights
from rmldnn.networks.pair import Pair
from rmldnn.steps import EpochEnd, EvalEnd, TrainEnd


def network(hidden=3, outputs=2, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential()
    net.add_module("dense_1", nn.Linear(4, hidden))
    net.add_module("norm", nn.BatchNorm1d(hidden))
    net.add_module("dense_2", nn.Linear(hidden, outputs))
    return net


def saved(tmp_path, net, epoch=1):
    path = tmp_path / f"model_checkpoint_{epoch}.pt"
    weights.write(path, net, epoch)
    return path


def load(path, net):
    checkpoints(load=str(path)).load_into(net)


def test_round_trip(tmp_path):
    original, other = network(seed=1), network(seed=2)
    load(saved(tmp_path, original), other)
    torch.testing.assert_close(other.state_dict(), original.state_dict())


def test_content(tmp_path):
    content = torch.load(saved(tmp_path, network(), 7), weights_only=True)
    assert (content["epoch"], content["format"], content["rmldnn"]) == (7, 1, rmldnn.__version__)
    assert "dense_1.weight" in content["model"]


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_kind_of_the_files(tmp_path, kind):
    original, other = network(seed=1), network(seed=2)
    checkpoints(save=str(tmp_path), format=kind).saver(original).consume(EpochEnd(1, 1, True))
    load(tmp_path / f"model_checkpoint_1.{kind}", other)
    torch.testing.assert_close(other.state_dict(), original.state_dict())


def test_files_for_keras(tmp_path, caplog):
    layers = [{"class_name": "Dense", "config": {"name": "dense", "units": 2, "batch_input_shape": [None, 3]}}]
    original, other = load_network(layers), load_network(layers)
    checkpoints(save=str(tmp_path), format="weights.h5").saver(original).consume(EpochEnd(1, 1, True))
    path = tmp_path / "model_checkpoint_1.weights.h5"
    with caplog.at_level("INFO", "rmldnn"):
        load(path, other)
    torch.testing.assert_close(other.state_dict(), original.state_dict())
    assert caplog.messages == [f"Loading model checkpoint from HDF5 file: {path}"]


def test_faults_are_those_of_a_key(tmp_path):
    with pytest.raises(CheckpointError, match=r"^checkpoints\.load: there is no checkpoint file"):
        load(tmp_path / "missing.pt", network())


def test_a_missing_file_is_told_with_the_newest_that_are_there(tmp_path):
    for epoch, time in ((10, 30), (2, 10), (4, 20), (6, 40), (8, 50)):
        path = tmp_path / f"model_checkpoint_{epoch}.pt"
        path.write_bytes(b"")
        os.utime(path, (time, time))
    (tmp_path / "notes.txt").write_text("")
    newest = ", ".join(f"model_checkpoint_{epoch}.pt" for epoch in (8, 6, 10, 4))
    with pytest.raises(CheckpointError, match=rf"model_checkpoint_20\.pt`; there are {re.escape(newest)} and 1 more$"):
        load(tmp_path / "model_checkpoint_20.pt", network())


@pytest.mark.parametrize(("interval", "names"), [(1, "1234"), (2, "24"), (3, "34"), (5, "4")])
def test_saved_every_interval_and_at_the_end(tmp_path, interval, names):
    consume = checkpoints(save=str(tmp_path / "deep" / "down"), interval=interval).saver(network()).consume
    for epoch in range(1, 5):
        consume(TrainEnd(epoch, 4, torch.tensor(0.0), 0.0, 0.1))
        consume(EpochEnd(epoch, 4, epoch == 4))
    files = sorted(path.name for path in (tmp_path / "deep" / "down").iterdir())
    assert files == [f"model_checkpoint_{epoch}.pt" for epoch in names]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    (tmp_path / ".model_checkpoint_1.pt.abc").touch()
    checkpoints(save=str(tmp_path)).saver(network())
    assert not list(tmp_path.iterdir())


def test_checkpoints_of_an_earlier_run_are_told_before_they_are_replaced(tmp_path, caplog):
    saver = checkpoints(save=str(tmp_path)).saver(network())
    for epoch in (1, 2):
        saver.consume(EpochEnd(epoch, 2, False))
    assert not caplog.records
    again = checkpoints(save=str(tmp_path)).saver(network())
    for epoch in (1, 2):
        again.consume(EpochEnd(epoch, 2, False))
    (record,) = caplog.records
    assert record.getMessage().startswith(f"checkpoints.save: `{tmp_path}` has 2 checkpoints of an earlier run")


def test_a_run_that_goes_on_replaces_its_own_in_silence(tmp_path, caplog):
    first = checkpoints(save=str(tmp_path)).saver(network())
    first.consume(EpochEnd(1, 2, False))
    again = checkpoints(save=str(tmp_path)).saver(network())
    again.load_state_dict(first.state_dict())
    again.consume(EpochEnd(2, 2, True))
    assert not caplog.records


def test_nothing_to_save_or_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing = checkpoints()
    nothing.load_into(network())
    nothing.saver(network()).consume(EpochEnd(1, 1, True))
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigError, match=r"checkpoints.save: cannot write to `.*/file/folder`: a file is in the place"
    ):
        checkpoints(save=str(tmp_path / "file" / "folder"))


def test_folder_that_takes_no_files():
    with pytest.raises(ConfigError, match=r"checkpoints.save: cannot write to `/proc/1`: "):
        checkpoints(save="/proc/1")


MANY = 10**13
"""Epochs for whose checkpoints no disk has room."""


@pytest.mark.parametrize("keys", [{}, {"interval": 10}, {"keep": {"best": "train_loss"}}])
def test_no_room_for_the_checkpoints_is_told_before_the_training(tmp_path, keys):
    with pytest.raises(ConfigError, match=r"checkpoints.save: `.*` has room for .*B, but .* need about .* TiB; make"):
        checkpoints(save=str(tmp_path), **keys).saver(network(), MANY)


def test_room_is_needed_for_checkpoints_that_stay(tmp_path):
    made = checkpoints(save=str(tmp_path), keep={"last": 3})
    with pytest.raises(ConfigError, match="need about 4096 TiB"):
        made.saver(nn.ParameterList([torch.empty(2**48, device="meta")]), MANY)
    made.saver(network(), MANY)


def test_missing_layers_keep_their_values_and_are_named(tmp_path, caplog):
    path = saved(tmp_path, network(seed=1))
    other = network(seed=2)
    other.add_module("dense_3", nn.Linear(2, 1))
    before = other.dense_3.weight.clone()
    with caplog.at_level("INFO", "rmldnn"):
        load(path, other)
    assert torch.equal(other.dense_3.weight, before)
    assert caplog.messages == [
        f"Loading model checkpoint from file: {path}",
        "   Skipping layer dense_3: not found in model",
        "   Skipping parameter dense_3.weight: not found in model",
        "   Skipping parameter dense_3.bias: not found in model",
    ]


def test_missing_parameter_of_a_known_layer_is_named(tmp_path, caplog):
    bare = nn.Sequential()
    bare.add_module("dense_1", nn.Linear(4, 3, bias=False))
    path = saved(tmp_path, bare)
    full = nn.Sequential()
    full.add_module("dense_1", nn.Linear(4, 3))
    with caplog.at_level("INFO", "rmldnn"):
        load(path, full)
    assert caplog.messages[1:] == ["   Skipping parameter dense_1.bias: not found in model"]


def test_layers_that_the_network_does_not_have_are_left_out(tmp_path):
    part = nn.Sequential()
    part.add_module("dense_1", nn.Linear(4, 3))
    original = network(seed=1)
    load(saved(tmp_path, original), part)
    assert torch.equal(part.dense_1.weight, original.dense_1.weight)


def test_plain_state_dict_is_welcome(tmp_path):
    original, other = network(seed=1), network(seed=2)
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    load(tmp_path / "weights.pt", other)
    assert torch.equal(other.dense_1.weight, original.dense_1.weight)


def test_all_other_shapes_are_listed(tmp_path):
    path = saved(tmp_path, network(hidden=3, outputs=2))
    with pytest.raises(CheckpointError) as error:
        load(path, network(hidden=3, outputs=5))
    assert "   dense_2.weight: [2, 3] in the checkpoint, [5, 3] in the network" in str(error.value)
    assert "   dense_2.bias: [2] in the checkpoint, [5] in the network" in str(error.value)
    assert "Rename a layer" in str(error.value)


def test_other_shapes_leave_the_network_alone(tmp_path):
    path = saved(tmp_path, network(outputs=2, seed=1))
    other = network(outputs=5, seed=2)
    before = other.dense_1.weight.clone()
    with pytest.raises(CheckpointError):
        load(path, other)
    assert torch.equal(other.dense_1.weight, before)


def test_checkpoint_of_another_network(tmp_path):
    other = nn.Sequential()
    other.add_module("conv", nn.Conv2d(1, 1, 1))
    with pytest.raises(CheckpointError, match="belongs to another network: it has the layers dense_1, dense_2, norm"):
        load(saved(tmp_path, network()), other)


def damaged(path):
    path.write_bytes(path.read_bytes()[:-300])


def text(path):
    path.write_text("no checkpoint at all")


def empty(path):
    path.write_bytes(b"")


def hdf5(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def folder(path):
    path.unlink()
    path.mkdir()


def no_weights(path):
    torch.save([1, 2, 3], path)


def code(path):
    torch.save({"model": print}, path)


def future(path):
    torch.save({"model": network().state_dict(), "format": 99, "rmldnn": "9.0"}, path)


def holding(model, **more):
    """Spoils a checkpoint by a torch file of other content."""
    return lambda path: torch.save({"model": model, **more}, path)


def quantised(path):
    with pytest.warns(UserWarning, match="deprecated"):
        torch.save({"dense_1.weight": torch.quantize_per_tensor(torch.ones(3, 4), 0.1, 0, torch.qint8)}, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damaged, "is damaged, or no checkpoint"),
        (text, r"is no checkpoint, or damaged; weights are read from files of torch \(\.pt\), safetensors, Keras"),
        (empty, "is damaged, or no checkpoint"),
        (code, r"holds Python objects besides tensors, .*; save the weights alone, by `torch\.save\(model\.state_dict"),
        (hdf5, "is a file of Keras, whose weights only a network of Keras layers can take"),
        (folder, "it is a folder"),
        (no_weights, "holds no network's weights"),
        (future, "has checkpoint format 99, and this version of rmldnn reads 1; it was written by rmldnn 9.0"),
        (holding({0: torch.ones(3)}), "holds no network's weights"),
        (holding({"dense_1.bias": torch.ones(3).to_sparse()}), "holds no network's weights"),
        (holding({"dense_1.bias": torch.ones(3, device="meta")}), "holds no network's weights"),
        (holding({"dense_1.bias": torch.ones(3, dtype=torch.complex64)}), "holds no network's weights"),
        (quantised, "holds no network's weights"),
        (holding({"dense_1.bias": torch.ones(3)}, format=torch.ones(2)), "holds no network's weights"),
        (holding({"\udc80": torch.ones(3)}), r"has the layers \\udc80"),
        (lambda path: path.unlink(), "there is no checkpoint file"),
    ],
)
def test_file_that_is_no_checkpoint(tmp_path, spoil, message):
    path = saved(tmp_path, network())
    spoil(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path, network())
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("block", range(8))
def test_damage_anywhere_is_reported_as_such(tmp_path, block):
    whole = saved(tmp_path, network()).read_bytes()
    random = Random(block)
    for _ in range(25):
        spoilt = bytearray(whole)
        for _ in range(random.randint(1, 8)):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        path = tmp_path / "spoilt.pt"
        path.write_bytes(spoilt)
        with contextlib.suppress(CheckpointError):  # nothing else, and not every byte matters
            load(path, network())


def bests(saver, losses, first=1):
    """The epochs whose weights were kept as the best ones."""
    kept = []
    for epoch, loss in enumerate(losses, first):
        before = len(saver.outputs) > 1 and torch.load(saver.outputs[1][1], weights_only=True)["epoch"]
        saver.consume(TrainEnd(epoch, 9, torch.tensor(loss), 0.0, 0.1))
        saver.consume(EvalEnd(epoch, 9, 0.0, torch.tensor(loss), torch.tensor(1 - loss)))
        saver.consume(EpochEnd(epoch, 9, False))
        now = len(saver.outputs) > 1 and torch.load(saver.outputs[1][1], weights_only=True)["epoch"]
        kept += [now] if now != before else []
    return kept


def test_what_is_no_number_is_never_best(tmp_path):
    saver = checkpoints(save=str(tmp_path), keep={"best": "train_loss"}).saver(network())
    assert bests(saver, [float("nan"), 0.5, float("nan"), 0.6, 0.4]) == [2, 5]


def go_on(folder, was, now, drop=()):
    first = checkpoints(save=str(folder), keep={"best": was}).saver(network())
    bests(first, [0.3])
    second = checkpoints(save=str(folder), keep={"best": now}).saver(network())
    second.load_state_dict({key: value for key, value in first.state_dict().items() if key not in drop})
    return bests(second, [0.8, 0.9, 0.2], first=2)


def test_the_best_goes_on_with_the_training(tmp_path):
    assert go_on(tmp_path, "test_loss", "Test_Loss") == [4]


def test_the_best_of_another_number_is_forgotten(tmp_path):
    assert go_on(tmp_path, "test_accuracy", "test_loss") == [2, 4]


def test_so_is_one_of_which_nobody_knows_what_it_is(tmp_path):
    assert go_on(tmp_path, "test_loss", "test_loss", drop=("monitor",)) == [2, 4]


def test_whole_models_of_a_pair_bring_their_weights(tmp_path):
    def dense(name, units, inputs):
        return [
            {"class_name": "Dense", "config": {"name": name, "units": units, "batch_input_shape": [None, inputs]}},
        ]

    layers = {"generator": dense("made", 3, 2), "discriminator": dense("score", 1, 3)}
    torch.manual_seed(1)
    known = {part: load_network(own) for part, own in layers.items()}
    for part, net in known.items():
        rmldnn.save_weights(net, tmp_path / "w.weights.h5")
        model = {"class_name": "Sequential", "config": {"name": part, "layers": layers[part]}}
        with zipfile.ZipFile(tmp_path / f"{part}.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(model))
            archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
            archive.write(tmp_path / "w.weights.h5", "model.weights.h5")
    torch.manual_seed(2)
    pair = Pair(*(load_network(layers[part]) for part in known))
    files = {part: str(tmp_path / f"{part}.keras") for part in known}
    assert checkpoints().load_into(pair, files)
    for part, net in known.items():
        torch.testing.assert_close(pair.parts[part].state_dict(), net.state_dict(), rtol=0, atol=0)
    assert not checkpoints().load_into(pair, layers)
