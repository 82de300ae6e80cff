"""The original tool's own smoke test, unchanged, and the networks and configurations of its tutorials."""

import difflib
import re
import shutil

import pytest

from tests.test_parallel import mpirun, needs_mpirun

NUMBERS = re.compile(r"\d+\.\d{4}|\d+%|\d\.\d{3}$")


@pytest.fixture
def smoke(shared, tmp_path, monkeypatch):
    """A copy of the original's smoke test as the working directory."""
    shutil.copytree(shared / "upstream" / "smoke_tests", tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(result, folder, processes):
    assert (result.code, result.err) == (0, "")
    assert f"RocketML : {processes} MPI process" in result.out
    for row in ("Total parameters    : 21432", "Trainable parameters: 21432", "Num of operations   : 14"):
        assert result.starting(f"   {row}")
    assert result.starting("   Num batches (per process): 13")
    first, *_ = result.starting("Train Epoch [  1/ 10] : Batch [    1/   13]")
    assert float(re.search(r"Loss = ([0-9.]+)", first)[1]) == pytest.approx(0.69, abs=0.03)
    last = result.starting("Eval")[-1]
    assert last.endswith("Accuracy: 1.000")
    assert float(re.search(r"Loss: ([0-9.]+)", last)[1]) < 0.05
    for name in ("out_dnn_mnist_sgd_train.txt", "out_dnn_mnist_sgd_test.txt"):
        assert (folder / name).stat().st_size > 0


def test_one_process(smoke, rmldnn):
    check(rmldnn("--config=", "./config_rmldnn_test.json"), smoke, 1)


@needs_mpirun
@pytest.mark.slow
def test_two_processes(smoke, rmldnn):
    check(rmldnn("--config=config_rmldnn_test.json", launcher=mpirun(2)), smoke, 2)


def test_the_log_is_line_by_line_that_of_the_original(smoke, rmldnn):
    stamp = re.compile(r"^\[\d{4}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}\] ")
    ours = rmldnn("--config=config_rmldnn_test.json").out.splitlines()
    theirs = (smoke / "baseline_rmldnn_test.txt").read_text().splitlines()
    assert all(stamp.match(line) for line in ours)

    def masked(lines):
        return [NUMBERS.sub("#", stamp.sub("", line).rstrip()) for line in lines if stamp.match(line)]

    changes = [line for line in difflib.ndiff(masked(theirs), masked(ours)) if line[0] in "+-"]
    removed = [line[2:] for line in changes if line[0] == "-"]
    assert [line for line in removed if not line.startswith(("RocketML : dnn", "rocketml 1.0.0"))] == []
    added = [line[2:] for line in changes if line[0] == "+"]
    assert re.match(r"rmldnn \d", added[0])
    assert [line.split(":")[0].strip() for line in added[1:]] == [
        "---------------------------------------------",
        "---------------- Computation ----------------",
        "Precision",
        "------------------- Result ------------------",
        "Test loss",
        "Test accuracy",
        "Training history",
        "Test history",
        "Run folder",
        "---------------------------------------------",
    ]


def test_the_mnist_tutorials_network_and_configurations(shared, pictures, rmldnn):
    folder = shared / "upstream" / "tutorials" / "mnist_classification"
    for path in folder.iterdir():
        shutil.copyfile(path, pictures / path.name)
    for old, new in (("train", "training"), ("test", "testing")):
        shutil.copytree(pictures / old, pictures / "mnist" / new)
    shutil.copytree(pictures / "test", pictures / "mnist_digits")
    grow = 'data.transforms=[{"resize":[28,28]}]'.replace('"', "")
    trained = rmldnn("--config= ./config_mnist_training.json".replace(" ", ""), grow, "num_epochs=20")
    assert (trained.code, trained.err) == (0, "")
    assert trained.starting("   Total parameters    : 34826")
    assert trained.starting("   Num of operations   : 11")
    assert trained.starting("   Model name          : sequential")
    tested = rmldnn("--config=", "./config_mnist_test.json", grow)
    assert (tested.code, tested.err) == (0, "")
    assert (pictures / "mnist_predictions" / "output_1.h5").exists()
