"""What end-to-end tests share: a folder of small pictures, a configuration for it, and the command itself."""

import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Test processes run side by side, and their tensors are small: threads would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # which torch reads when it is imported

import cv2
import numpy as np
import pytest
from hypothesis import settings

# The first tensor of a process takes its time. CI tries the same cases every time: a submission fails by its own fault.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config):
    """Hides the GPU from tests that are not of it: they compare with numbers of the CPU."""
    if config.getoption("markexpr") != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


SHARED = Path(__file__).parent.parent.parent / "shared"

CONFIG = {
    "num_epochs": 2,
    "outfile": "out.txt",
    "layers": [
        {
            "class_name": "Conv2D",
            "config": {"name": "conv", "filters": 4, "kernel_size": 3, "batch_input_shape": [None, 12, 12, 1]},
        },
        {"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": 2}},
        {"class_name": "Activation", "config": {"name": "relu", "activation": "relu"}},
        {"class_name": "Flatten", "config": {"name": "flatten"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "log_softmax"}},
    ],
    "data": {
        "input_type": "images",
        "target_type": "labels",
        "input_path": "./train/",
        "test_input_path": "./test/",
        "batch_size": 8,
        "test_batch_size": 4,
        "grayscale": True,
    },
    "loss": {"function": "NLL"},
    "optimizer": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.5},
    "checkpoints": {"save": "./model/"},
}


def draw(folder, count, seed):
    """Writes `count` pictures of each of two classes: bright above, bright below."""
    random = np.random.default_rng(seed)
    for label in ("down", "up"):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            image = random.integers(0, 80, (12, 12), dtype=np.uint8)
            half = slice(0, 6) if label == "up" else slice(6, 12)
            image[half] += 120
            cv2.imwrite(str(folder / label / f"{label}_{index}.png"), image)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A working directory with `train/` (11 + 11 pictures) and `test/` (3 + 3)."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "train", 11, seed=1)
    draw(tmp_path / "test", 3, seed=2)
    return tmp_path


@pytest.fixture
def config():
    """The content of a configuration for `pictures`, to be changed."""
    return copy.deepcopy(CONFIG)


class Result:
    """What a command said, and how it ended."""

    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr
        self.lines = [line[30:] for line in completed.stdout.splitlines()]  # without the time

    def starting(self, head):
        """Lines of the log that start with `head`."""
        return [line for line in self.lines if line.startswith(head)]


def command(*arguments, launcher=(), timeout=180, **environment):
    """Runs `rmldnn` as a process, or several by a launcher."""
    start = [*launcher] if "-m" in launcher else [*launcher, sys.executable, "-m"]
    completed = subprocess.run(
        [*map(str, start), "rmldnn", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    return Result(completed)


@pytest.fixture(scope="session")
def fork_server():
    """What `train` starts its processes by: they have the large libraries already."""
    script = Path(__file__).parent / "fork_server.py"
    server = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    def run(folder, *arguments, **environment):
        with tempfile.NamedTemporaryFile("r+") as out, tempfile.NamedTemporaryFile("r+") as err:
            request = {
                "arguments": [*map(str, arguments)],
                "environment": {**os.environ, "OMP_NUM_THREADS": "1", **environment},
                "folder": str(folder),
                "out": out.name,
                "err": err.name,
            }
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            return Result(subprocess.CompletedProcess(arguments, code, out.read(), err.read()))

    yield run
    server.terminate()  # workers that were forked meanwhile may hold the other ends of its pipes
    server.wait()
    server.stdin.close()
    server.stdout.close()


@pytest.fixture
def rmldnn():
    """The command, run in the working directory: `rmldnn("config.json", "num_epochs=3")`."""
    return command


@pytest.fixture
def train(pictures, config, fork_server):
    """Writes the configuration and runs it, with changes of the command line; `fresh` with its own start of Python."""

    def train_with(*overrides, launcher=(), fresh=False, **environment):
        (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
        if not fresh and not launcher:
            return fork_server(Path.cwd(), "config.json", *overrides, **environment)
        return command("config.json", *overrides, launcher=launcher, **environment)

    return train_with


@pytest.fixture(scope="session")
def shared():
    """The original's own files, which only developers have."""
    if not SHARED.is_dir():
        pytest.skip("needs the files beside the repository")
    return SHARED


@pytest.fixture
def endless(pictures, config):
    """A training that ends when it is told to, and saves its state all the time; with workers of its own."""
    config |= {"num_epochs": 100000, "run_folder": "run", "outfile": None}
    config["checkpoints"] = {"state_interval": 0.02}
    config["data"]["num_workers"] = 1
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    return pictures
