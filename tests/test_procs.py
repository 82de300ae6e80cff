"""Runs of several processes on this machine, which rmldnn or another launcher starts, and how they leave."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.processes import RMLDNN, children, ended, started, until

pytestmark = pytest.mark.slow


def test_processes_that_we_start_give_the_losses_of_one(train, pictures, rmldnn):
    assert train().code == 0
    alone = np.loadtxt(pictures / "out_train.txt")[:, -2:]
    result = rmldnn("config.json", "--procs", "2")
    assert result.code == 0, result.err
    assert "RocketML : 2 MPI processes" in result.out
    assert result.starting("   Processes: 2, 1 thread each, ")
    assert result.err == ""
    np.testing.assert_allclose(np.loadtxt(pictures / "out_train.txt")[:, -2:], alone, atol=1e-4)


def test_a_run_is_made_again_in_as_many_processes(train, rmldnn):
    assert train("run_folder=run").code == 0
    result = rmldnn("rerun", "run", "--procs", "2")
    assert result.code == 0, result.err
    assert "RocketML : 2 MPI processes" in result.out


def test_a_faulty_configuration_is_told_once(train, rmldnn):
    train("num_epochs=1")
    result = rmldnn("config.json", "num_epochs=0", "--procs", "3")
    assert result.code == 2
    assert result.err.count("num_epochs: must be a positive integer, got 0") == 1


def test_a_fault_of_another_process_is_told(train, pictures, rmldnn):
    train("num_epochs=1")
    for path in (pictures / "train").rglob("*.png"):
        path.write_bytes(b"no picture")
    result = rmldnn("config.json", "--procs", "2")
    assert result.code == 3
    assert "train/down/down_" in result.err
    assert "Traceback" not in result.err


def test_a_terminal_is_a_terminal(train, pictures):
    train("num_epochs=1")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*RMLDNN, "config.json", "--procs", "2"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"},
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 65536):
            said += piece
    os.close(ours)
    assert process.wait() == 0, said
    assert b"\x1b[" in said
    assert b"RocketML :" not in said  # the plain log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_all_processes_are_told_to_leave_and_the_state_is_saved(endless, number):
    process = started("config.json", "--procs", "2")
    until(process, "Train Epoch [  3/")
    process.send_signal(number)
    code, err = ended(process, 60)
    assert code == 128 + number
    assert re.fullmatch(
        rf"rmldnn: stopped by {number.name}; the state is in `run/state/.*`; go on with --resume\n", err
    )


def test_one_process_that_is_told_to_leave_takes_the_others_along(endless):
    process = started("config.json", "--procs", "2")
    until(process, "Train Epoch [  3/")
    os.kill(children(process.pid)[1], signal.SIGTERM)
    code, err = ended(process, 60)
    assert (code, err.count("stopped by SIGTERM; the state is in")) == (128 + signal.SIGTERM, 1)


MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "2"]
KINDS = {
    "evaluates": {"test_target_path": "block.npy"},
    "predicts": {"test_output_path": "out"},
    "assembles": {"hdf5_outfile": "out.h5"},
}
"""Runs that only evaluate."""


@pytest.fixture
def evaluation(tmp_path, monkeypatch):
    """Writes the configuration of a run that only evaluates, for some seconds at least."""
    monkeypatch.chdir(tmp_path)
    first = {"filters": 16, "kernel_size": 5, "batch_input_shape": [None, 16, 16, 16, 1]}
    last = {"class_name": "Conv3DTranspose", "config": {"filters": 1, "kernel_size": 5}}
    layers = [{"class_name": "Conv3D", "config": first}, last]

    def write(kind, extent):
        np.save("block.npy", np.random.default_rng(0).normal(size=[extent] * 3).astype(np.float32))
        slicers = [{"name": "blocks", "sizes": [16, 16, 16], "strides": [4, 4, 4]}]
        data = {"type": "numpy", "test_input_path": "block.npy", "test_batch_size": 1, "slicers": slicers}
        config = {"layers": layers, "data": {**data, **KINDS[kind]}, "loss": {"function": "MSE"}}
        Path("config.json").write_text(json.dumps({"neural_network": config}))

    return write


@pytest.mark.parametrize(
    ("kind", "launcher", "rank", "number"),
    [
        ("evaluates", "procs", 1, signal.SIGTERM),
        ("predicts", "procs", 0, signal.SIGUSR1),
        ("predicts", "mpirun", 1, signal.SIGUSR1),
        ("assembles", "procs", 1, signal.SIGUSR1),
        ("assembles", "mpirun", 0, signal.SIGTERM),
    ],
)
def test_one_process_of_an_evaluation_takes_the_others_along(evaluation, kind, launcher, rank, number):
    if launcher == "mpirun" and shutil.which("mpirun") is None:
        pytest.skip("needs mpirun (Debian: openmpi-bin)")
    evaluation(kind, 64)
    before, options = (MPIRUN, []) if launcher == "mpirun" else ([], ["--procs", "2"])
    process = started("config.json", *options, before=before)
    until(process, "Eval  Epoch [")
    processes = [pid for pid in children(process.pid) if b"rmldnn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(processes[rank], number)
    code, err = ended(process, 30)
    assert (code, err.count(f"rmldnn: stopped by {number.name}\n")) == (128 + number, 1)
    assert "rmldnn: error" not in err
    assert not [path for path in Path("out").glob("*") if path.is_file()]
    assert not Path("out.h5").exists()


def test_an_assembly_that_one_process_was_told_to_leave_goes_on_to_the_same_bits(evaluation, rmldnn):
    evaluation("assembles", 44)
    process = started("config.json", "--procs", "2")
    until(process, "Eval  Epoch [")
    os.kill(children(process.pid)[1], signal.SIGTERM)
    assert ended(process, 30)[0] == 128 + signal.SIGTERM
    result = rmldnn("config.json", "--procs", "2")
    assert result.code == 0, result.err
    assert "Continuing `out.h5` at slice " in result.out + result.err
    assert rmldnn("config.json", "data.hdf5_outfile=whole.h5").code == 0
    assert Path("out.h5").read_bytes() == Path("whole.h5").read_bytes()
    assert not list(Path.cwd().glob(".out*"))


HYDRA = shutil.which("mpiexec.hydra")
needs_mpich = pytest.mark.skipif(not HYDRA, reason="needs MPICH (Debian: mpich)")
DEEPSPEED = [sys.executable, "-m", "deepspeed.launcher.runner", "--num_gpus", "2", "--module"]


@pytest.mark.parametrize(
    "launcher",
    [pytest.param([HYDRA, "-np", "2"], marks=needs_mpich, id="mpich"), pytest.param(DEEPSPEED, id="deepspeed")],
)
def test_other_launchers(train, launcher):
    result = train("num_epochs=1", launcher=launcher)
    assert result.code == 0, result.err
    assert "RocketML : 2 MPI processes" in result.out


def test_help_of_every_verb_names_its_options(rmldnn):
    assert "--hosts FILE" in rmldnn("launch", "--help").out
    assert "--time TIME" in rmldnn("submit", "--help").out
    assert "--procs N" in rmldnn("--help").out
