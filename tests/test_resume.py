"""A run that is killed, or told to leave, goes on as if nothing had happened."""

import contextlib
import copy
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import CONFIG, command, draw
from tests.test_parallel import mpirun, needs_mpirun

pytestmark = pytest.mark.slow


@pytest.fixture
def long_run(pictures, config):
    """A training of some seconds that saves its state all the time."""
    config["num_epochs"] = 60
    config["layers"].insert(3, {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.3}})
    config["optimizer"]["lr_scheduler"] = {"type": "Exponential", "gamma": 0.97, "verbose": False}
    config["ema"] = 0.9
    config["checkpoints"] = {"save": "./model/", "interval": 20, "state_interval": 0.02}
    config["run_folder"] = "run"
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    return pictures


def started(*options):
    return subprocess.Popen(
        [sys.executable, "-m", "rmldnn", "config.json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def interrupted(number, line="Epoch [  9/"):
    """Starts the run, sends it a signal when it logs a line, and gives its exit code and its last words."""
    process = started()
    for text in process.stdout:
        if line in text:
            break
    process.send_signal(number)
    start = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 20
    return process.returncode, err


def test_a_signal_that_comes_twice_is_one(long_run):
    process = started()
    for text in process.stdout:
        if "Epoch [  9/" in text:
            break
    for _ in range(50):  # SLURM sends two; the last ones come while the process ends
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {128 + signal.SIGTERM, -signal.SIGTERM}  # by one that comes when all is done
    assert "stopped by SIGTERM; the state is in" in err


def outcome(folder):
    """Weights of the last checkpoint, and what the log files say besides times."""
    weights = torch.load(folder / "model" / "model_checkpoint_60.pt", weights_only=True)["model"]
    rows = [line.split(maxsplit=1)[-1] for line in (folder / "out_train.txt").read_text().splitlines()]
    return weights, rows, (folder / "out_test.txt").read_text()


@pytest.fixture
def undisturbed(long_run, rmldnn):
    """What the run gives if nobody disturbs it; the folder is as before."""
    result = rmldnn("config.json")
    assert result.code == 0, result.err
    expected = outcome(long_run)
    for name in ("model", "run"):
        shutil.rmtree(long_run / name)
    return expected


def assert_same(found, expected):
    assert found[0].keys() == expected[0].keys()
    assert all(torch.equal(found[0][name], value) for name, value in expected[0].items())
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_run_that_was_ended_goes_on_to_the_same_bits(long_run, rmldnn, undisturbed, number):
    code, err = interrupted(number)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 128 + number
        assert f"stopped by {signal.Signals(number).name}; the state is in `run/state/epoch_" in err
        assert "Traceback" not in err
    result = rmldnn("config.json", "--resume")
    assert result.code == 0, result.err
    assert "Going on with epoch" in result.out
    assert_same(outcome(long_run), undisturbed)


def test_a_damaged_state_is_told_and_the_one_before_is_taken(long_run, rmldnn, undisturbed):
    interrupted(signal.SIGKILL)
    states = sorted((long_run / "run" / "state").glob("epoch_*"), key=lambda path: path.stat().st_mtime)
    assert len(states) == 2
    data = bytearray((states[-1] / "engine.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (states[-1] / "engine.pt").write_bytes(data)
    result = rmldnn("config.json", "--resume")
    assert result.code == 0, result.err
    assert "is damaged and is not used: `engine.pt` has changed since it was written (sha256)" in result.out
    assert_same(outcome(long_run), undisturbed)


@needs_mpirun
def test_a_state_of_one_process_goes_on_in_two_and_back(long_run, rmldnn, undisturbed):
    interrupted(signal.SIGTERM)
    result = rmldnn("config.json", "--resume", "num_epochs=30", launcher=mpirun(2))
    assert result.code == 0, result.err
    result = rmldnn("config.json", "--resume")
    assert result.code == 0, result.err
    positions = [[row.split()[:3] for row in rows] for rows in (outcome(long_run)[1], undisturbed[1])]
    assert positions[0] == positions[1]


def test_a_complete_training_is_not_trained_further_unless_told(train, pictures, rmldnn):
    assert train("run_folder=run").code == 0
    before = (pictures / "model" / "model_checkpoint_2.pt").stat().st_mtime_ns
    again = rmldnn("config.json", "run_folder=run", "--resume")
    assert again.code == 0, again.err
    assert "The training of `run` is complete" in again.out
    assert (pictures / "model" / "model_checkpoint_2.pt").stat().st_mtime_ns == before
    assert len((pictures / "out_test.txt").read_text().splitlines()) == 2
    more = rmldnn("config.json", "run_folder=run", "--resume", "num_epochs=4")
    assert more.code == 0, more.err
    assert [line.split()[1] for line in (pictures / "out_test.txt").read_text().splitlines()] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("options", [["--resume"], ["--resume", "run_folder=run"], ["++checkpoints.resume=auto"]])
def test_a_run_that_has_no_state_yet_starts_anew(train, pictures, options):
    result = train(*options)
    assert result.code == 0, result.err
    assert "There is no state to go on from in" in result.out
    assert len((pictures / "out_test.txt").read_text().splitlines()) == 2


def test_a_state_by_name_goes_on_in_its_run_folder(train, pictures, rmldnn):
    assert train().code == 0
    result = rmldnn("config.json", "++checkpoints.resume=runs/config/state/epoch_3_sample_0", "num_epochs=3")
    assert result.code == 0, result.err
    assert [path.name for path in (pictures / "runs").iterdir()] == ["config"]
    assert len((pictures / "runs" / "config" / "history.csv").read_text().splitlines()) == 1 + 3


def test_a_state_by_name_must_be_there(train):
    result = train("++checkpoints.resume=nowhere")
    assert result.code == 2
    assert "`nowhere` is no state to go on from" in result.err


def test_two_runs_do_not_share_a_folder(long_run):
    first = started("num_epochs=100000")
    for text in first.stdout:
        if "Train Epoch" in text:
            break
    second = started()
    _, err = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert "run_folder: another run writes to `run`" in err


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("++early_stopping.monitor=test_los", "early_stopping.monitor: this run has no `test_los`"),
        ("++checkpoints.keep={best: test_IoU}", "checkpoints.keep.best: this run has no `test_IoU`"),
    ],
)
def test_a_number_that_the_run_will_not_have_is_told_before(train, override, key):
    result = train(override)
    assert result.code == 2
    assert key in result.err
    assert not result.starting("Train Epoch")


@pytest.fixture(scope="session")
def first_run(tmp_path_factory):
    """A training of two epochs in `run`, with its data."""
    folder = tmp_path_factory.mktemp("first")
    draw(folder / "train", 11, seed=1)
    draw(folder / "test", 3, seed=2)
    content = copy.deepcopy(CONFIG)
    content["data"]["batch_size"] = "auto"
    (folder / "config.json").write_text(json.dumps({"neural_network": content}))
    with in_folder(folder):
        result = command("config.json", "run_folder=run")
    assert result.code == 0, result.err
    return folder


@contextlib.contextmanager
def in_folder(folder):
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


@pytest.fixture
def go_on(first_run, tmp_path, monkeypatch):
    """Goes on with the first run to a third epoch, its configuration changed."""
    shutil.copytree(first_run, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def go_on(*overrides, **changes):
        content = json.loads(Path("config.json").read_text())["neural_network"]
        for path, value in changes.items():
            *parents, last = path.split("__")
            section = content
            for part in parents:
                section = section[part]
            section[last] = value
        Path("config.json").write_text(json.dumps({"neural_network": content}))
        return command("config.json", *overrides, "num_epochs=3")

    return go_on


def history(folder="run"):
    with Path(folder, "history.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("changes", "rate", "text"),
    [
        ({"optimizer__learning_rate": 0.02}, 0.02, "optimizer.learning_rate: 0.02 from now on; it was 0.1"),
        (
            {"optimizer__lr_scheduler": {"type": "exponential", "gamma": 0.5}},
            0.025,
            'optimizer.lr_scheduler: [{"type": "Exponential", "num_epochs": null, "per": "epoch", "gamma": 0.5}] from',
        ),
        ({"ema": 0.9}, 0.1, "ema: 0.9 from now on; it was null; the mean begins with the weights of the state"),
        ({"data__transforms": [{"normalize": {"mean": 0.4}}]}, 0.1, "data.transforms: [{"),
        ({"sync_batchnorm": False}, 0.1, "sync_batchnorm: false from now on; it was true"),
        ({"semantics": "original"}, 0.1, 'semantics: "original" from now on; it was "keras"'),
    ],
)
def test_what_is_changed_holds_from_then_on_and_is_told(go_on, changes, rate, text):
    result = go_on("run_folder=run", "--resume", **changes)
    assert result.code == 0, result.err
    assert result.starting(text)
    rows = history()
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.1, 0.1, rate])
    assert float(rows[-1]["test_loss"]) < float(rows[0]["test_loss"])


def test_what_cannot_go_on_is_refused_all_at_once_and_leaves_the_run_as_it_was(go_on):
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    layers = copy.deepcopy(CONFIG["layers"])
    layers[4]["config"]["units"] = 3
    optimizer = {"type": "LARS", "learning_rate": 0.1}
    result = go_on("run_folder=run", "--resume", optimizer=optimizer, layers=layers)
    assert result.code == 2
    assert "config.json:1: layers: the network is another one than in `run/state/epoch_3_sample_0`: " in result.err
    assert "`dense.weight` is 3 x 100, and 2 x 100 there; set it back, or start anew, with its weights" in result.err
    assert 'config.json:1: optimizer.type: is "LARS", but was "SGD" when ' in result.err
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_another_activation_is_another_network(go_on):
    layers = copy.deepcopy(CONFIG["layers"])
    layers[4]["config"]["activation"] = "tanh"
    result = go_on("run_folder=run", "--resume", layers=layers)
    assert result.code == 2
    assert "the layer `dense` has other keys or inputs; set it back, or start anew" in result.err


def test_other_samples_of_the_same_number_are_told(go_on):
    for folder in Path().glob("train*"):
        first = min(path for path in folder.rglob("*") if path.is_file())
        first.rename(first.with_stem(first.stem + "_other"))
    result = go_on("run_folder=run", "--resume")
    assert result.code == 0, result.err
    assert re.search(
        r"data\.input_path: \"22 samples, names \w+\" from now on; .*: not the training", result.err + result.out
    )


def test_a_new_run_that_is_killed_before_its_first_state_leaves_none_of_the_run_before(go_on):
    process = started("run_folder=run", "num_epochs=10000", "++checkpoints.interval=10000")
    for text in process.stdout:
        if re.search(r"Epoch \[ *2/", text):
            break
    process.kill()
    process.communicate()
    assert list(Path("run/state").iterdir()) == []


def test_a_batch_size_that_was_found_stays(go_on):
    size = json.loads(Path("run/config.json").read_text())["neural_network"]["data"]["batch_size"]
    result = go_on("run_folder=run", "--resume")
    assert result.code == 0, result.err
    assert result.starting("Batch size (automatic)") == [f"Batch size (automatic): {size}, as before"]


@pytest.mark.parametrize("there", [True, False])
def test_a_state_goes_on_in_another_folder_with_the_history_so_far(go_on, there):
    before = history()
    if not there:
        Path("run/history.csv").unlink()
    result = go_on("run_folder=other", "++checkpoints.resume=run/state/epoch_3_sample_0")
    assert result.code == 0, result.err
    rows = history("other")
    assert rows[:-1] == (before if there else [])
    assert rows[-1]["epoch"] == "3"
    word = "The history so far is that of `" if there else "has no history of the state any more"
    assert word in result.out
    assert [line.split()[1] for line in Path("out_test.txt").read_text().splitlines()] == ["1", "2", "3"]


def test_log_files_of_another_name_begin_with_the_state(go_on):
    result = go_on("run_folder=run", "--resume", "outfile=new.txt")
    assert result.code == 0, result.err
    assert result.starting("The log files of `new.txt` begin with the state")
    assert [line.split()[1] for line in Path("new_test.txt").read_text().splitlines()] == ["3"]
    assert [line.split()[1] for line in Path("out_test.txt").read_text().splitlines()] == ["1", "2"]


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [
        ((), {"tracking": {"type": "MLflow", "tracking_uri": "nonsense://host"}}),
        (("++checkpoints.resume=run/state/epoch_3_sample_0", "run_folder=runs/new"), {"optimizer__momentum": 0}),
    ],
)
def test_a_run_that_cannot_begin_leaves_no_folder(go_on, overrides, changes):
    result = go_on(*overrides, **changes)
    assert result.code == 2
    assert not Path("runs").exists()


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_state_before(train, pictures):
    result = train(
        "optimizer.learning_rate=1e20", "optimizer.momentum=0", "run_folder=run", "checkpoints.state_interval=0"
    )
    assert result.code == 1
    assert re.search(r"the loss is (nan|inf) in epoch 1, batch", result.err)
    assert "whose samples are " in result.err
    for state in (pictures / "run" / "state").glob("epoch_*"):
        weights = torch.load(state / "network.pt", weights_only=True)
        assert state.name != "epoch_1_sample_22"
        assert weights
    assert not list((pictures / "model").iterdir())


def test_early_stopping_ends_the_run_and_saves_it(train, pictures):
    result = train(
        "num_epochs=50",
        "++early_stopping={monitor: train_loss, patience: 2, min_delta: 100}",
        "checkpoints.interval=10",
    )
    assert result.code == 0, result.err
    assert [path.name for path in (pictures / "model").iterdir()] == ["model_checkpoint_3.pt"]
    assert len(result.starting("Eval")) == 3 * 2
    assert result.starting("Stopped early after epoch 3: train_loss has not become better for 2 epochs; best ")
    assert json.loads(Path("runs/config/run.json").read_text())["sessions"][0]["outcome"].startswith("stopped early")


def test_a_training_that_early_stopping_ended_goes_on_with_more_patience(train, rmldnn):
    stopping = "++early_stopping={monitor: train_loss, patience: %d, min_delta: 100}"
    assert train("num_epochs=50", stopping % 2).code == 0
    again = rmldnn("config.json", "num_epochs=50", stopping % 2, "--resume")
    assert again.code == 0, again.err
    assert not again.starting("Train Epoch")
    assert (
        "Early stopping ended `runs/config` after epoch 3: train_loss has not become better for 2 epochs" in again.out
    )
    assert "more epochs by a larger `early_stopping.patience`" in again.out
    more = rmldnn("config.json", "num_epochs=50", stopping % 3, "--resume")
    assert more.code == 0, more.err
    assert more.starting("Stopped early after epoch 4")


def test_which_checkpoints_stay(train, pictures):
    result = train("num_epochs=6", "++checkpoints.keep={last: 2, best: test_loss}")
    assert result.code == 0, result.err
    names = {path.name for path in (pictures / "model").iterdir()}
    assert names == {"model_checkpoint_5.pt", "model_checkpoint_6.pt", "model_checkpoint_best.pt"}
    losses = [float(line.split()[3]) for line in Path("out_test.txt").read_text().splitlines()]
    best = torch.load(pictures / "model" / "model_checkpoint_best.pt", weights_only=True)["epoch"]
    assert losses[best - 1] == min(losses)
