"""Runs of several processes, from every launcher that is at hand, against the same run of one process."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
SCRIPT = str(HERE / "parallel_run.py")
LAUNCHED_BY = ("RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "OMPI_", "PMI", "SLURM_", "GLOO_", "OMP_NUM_THREADS", "DS_")

pytestmark = pytest.mark.slow


def environment(**more):
    clean = {name: text for name, text in os.environ.items() if not name.startswith(LAUNCHED_BY)}
    return {**clean, "PYTHONPATH": str(HERE.parent.parent), "PYTHONWARNINGS": "default", **more}


def start(command, **more):
    return subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE
    )


def mpirun(folder, processes):
    if shutil.which("mpirun") is None:
        pytest.skip("needs Open MPI")
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return [start(["mpirun", *root, "--oversubscribe", "-np", str(processes), sys.executable, SCRIPT, str(folder)])]


def torchrun(folder, processes):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [start([*command, SCRIPT, str(folder)], OMP_NUM_THREADS="1")]


def srun(folder, processes, *arguments, script=SCRIPT):
    """The processes as srun would start them on one node."""
    return [
        start(
            [sys.executable, script, str(folder), *arguments],
            SLURM_PROCID=str(rank),
            SLURM_STEP_NUM_TASKS=str(processes),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=str(folder),  # the name alone is that of a test beside, too
            SLURM_STEP_ID="0",
            OMP_NUM_THREADS="1",
        )
        for rank in range(processes)
    ]


def finish(processes, timeout=120):
    """Exit code, output and error output of each process, killed if it takes too long."""
    watch = threading.Timer(timeout, lambda: [process.kill() for process in processes])
    watch.start()
    said = [process.communicate() for process in processes]
    watch.cancel()
    return [(process.returncode, out, err) for process, (out, err) in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("single")
    ((code, _, err),) = finish([start([sys.executable, SCRIPT, str(folder)], OMP_NUM_THREADS="1")])
    assert code == 0, err
    return json.loads((folder / "result.json").read_text())


LAUNCHES = [(mpirun, 2), (mpirun, 3), (torchrun, 2), (srun, 2)]


@pytest.fixture(scope="module", params=LAUNCHES, ids=lambda launch: f"{launch[0].__name__}-{launch[1]}")
def parallel(request, tmp_path_factory):
    """The same run of several processes: folder, what the processes wrote, result of rank 0."""
    launch, processes = request.param
    folder = tmp_path_factory.mktemp(f"{launch.__name__}_{processes}_")
    ended = finish(launch(folder, processes))
    assert all(code == 0 for code, _, _ in ended), ended
    result = json.loads((folder / "result.json").read_text())
    assert result["world"] == processes
    return folder, ended, result


def test_one_process_needs_no_deepspeed(single):
    assert not single["deepspeed"]


def test_every_step_is_that_of_one_process(single, parallel):
    _, _, result = parallel
    for ours, alone in zip(result["steps"], single["steps"], strict=True):
        assert ours.pop("values") == pytest.approx(alone["values"], rel=1e-4, abs=1e-4)
        assert ours == {key: value for key, value in alone.items() if key != "values"}


def test_weights_are_those_of_one_process(single, parallel):
    _, _, result = parallel
    for ours, alone in zip(result["weights"], single["weights"], strict=True):
        assert ours == pytest.approx(alone, rel=1e-3, abs=1e-4)


def test_deepspeed_trains_and_compiles_nothing(parallel):
    folder, _, result = parallel
    assert result["deepspeed"]
    assert sorted(path.name for path in folder.iterdir()) == ["model", "result.json"]


def test_processes_of_this_machine_are_counted(single, parallel):
    _, _, result = parallel
    assert (single["local_world"], result["local_world"]) == (1, result["world"])


def test_processes_of_this_machine_share_its_cores(single, parallel):
    _, _, result = parallel
    cores = len(os.sched_getaffinity(0))
    assert single["cores"] == cores
    assert result["cores"] in (max(1, cores // result["world"]), 1)  # 1 where the launcher binds each to one


def test_predictions_come_in_the_order_of_the_samples(parallel):
    _, _, result = parallel
    assert result["names"] == [f"sample_{index}" for index in range(33)]


def test_nothing_but_ours_is_written_to_the_log(parallel):
    _, ended, _ = parallel
    assert [out for _, out, _ in ended] == [""] * len(ended)


def test_no_warning_reaches_the_user(parallel):
    _, ended, _ = parallel
    assert not [line for _, _, err in ended for line in err.splitlines() if "arning" in line or "WARN" in line]


def test_device_is_named_once(parallel):
    _, _, result = parallel
    assert len(set(result["devices"])) == len(result["devices"])
    assert torch.cuda.is_available() or result["devices"] == ["CPU"]


def test_checkpoint_is_complete(parallel):
    folder, _, result = parallel
    assert sorted(path.name for path in (folder / "model").iterdir()) == [f"model_checkpoint_{n}.pt" for n in (1, 2)]
    last = torch.load(folder / "model" / "model_checkpoint_2.pt", weights_only=True)["model"]
    assert [tensor.flatten().tolist() for tensor in last.values()] == result["weights"]


def test_no_rendezvous_file_is_left(parallel):
    assert not list(Path(tempfile.gettempdir()).glob(f"rmldnn-{os.getuid()}-*"))


@pytest.mark.parametrize("end", ["fails", "dies"])
def test_end_of_one_process_ends_the_others(tmp_path, end):
    (first, _, complaint), (second, _, _) = finish(srun(tmp_path, 2, end), timeout=60)
    assert (first != 0, second != 0) == (True, True)
    assert f"process 0 of 2 stops because process 1 on {socket.gethostname()} has ended; the first" in complaint
