"""Runs of several processes that nobody but rmldnn starts, and how they end."""

import contextlib
import json
import os
import pty
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

RMLDNN = [sys.executable, "-m", "rmldnn"]


@pytest.fixture
def endless(pictures, config):
    """A training that ends when it is told to, and saves its state all the time; with workers of its own."""
    config |= {"num_epochs": 100000, "run_folder": "run", "outfile": None}
    config["checkpoints"] = {"state_interval": 0.02}
    config["data"]["num_workers"] = 1
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    return pictures


def started(*options, before=(), **environment):
    return subprocess.Popen(
        [*before, *RMLDNN, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def as_by_srun(*options, world=2):
    """Processes that no launcher watches over."""
    job = secrets.token_hex(4)
    return [
        started(
            *options,
            SLURM_PROCID=str(rank),
            SLURM_LOCALID=str(rank),
            SLURM_STEP_NUM_TASKS=str(world),
            SLURM_STEP_NUM_NODES="1",
            SLURM_JOB_ID=job,
        )
        for rank in range(world)
    ]


def until(process, line):
    """Reads the log of a process up to a line."""
    for text in process.stdout:
        if line in text:
            return
    pytest.fail(process.stderr.read())


def ended(process, within):
    """Exit code and last words of a process that is to end soon."""
    try:
        _, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, err


def children(pid):
    """Processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def goes_on(rmldnn):
    """Goes on with a run: its state is whole."""
    epoch = max(int(path.name.split("_")[1]) for path in Path("run/state").glob("epoch_*_sample_*"))
    result = rmldnn("config.json", "--resume", f"num_epochs={epoch + 1}")
    assert result.code == 0, result.err
    assert "Going on with epoch" in result.out


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


def test_the_end_of_one_process_is_that_of_all(endless):
    process = started("config.json", "--procs", "2")
    until(process, "Train Epoch [  3/")
    os.kill(children(process.pid)[1], signal.SIGKILL)
    code, err = ended(process, 30)
    assert code == 128 + signal.SIGKILL
    assert "rmldnn: error: process 1 was ended by SIGKILL; the machine may have run out of memory\n" in err


def test_processes_leave_when_nobody_watches_over_them_any_more(endless, rmldnn):
    process = started("config.json", "--procs", "2")
    until(process, "Train Epoch [  3/")
    pids = children(process.pid)
    process.kill()
    process.communicate(timeout=60)  # until nobody writes to the log
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)
    goes_on(rmldnn)


@pytest.mark.parametrize("victim", [0, 1])
def test_survivors_of_a_killed_process_end_by_themselves(endless, rmldnn, victim):
    processes = as_by_srun("config.json")
    until(processes[0], "Train Epoch [  3/")
    processes[victim].kill()
    code, err = ended(processes[1 - victim], 30)
    processes[victim].communicate()
    assert code == 1
    assert f"process {1 - victim} of 2 stops because process {victim} on " in err
    assert "has ended; " in err
    assert "Traceback" not in err
    goes_on(rmldnn)


def test_survivors_of_a_process_that_hangs_end_by_themselves(endless):
    processes = as_by_srun("config.json", "--timeout", "3")
    until(processes[0], "Train Epoch [  3/")
    processes[1].send_signal(signal.SIGSTOP)
    code, err = ended(processes[0], 30)
    processes[1].kill()
    processes[1].communicate()
    assert code == 1
    assert "process 1 on " in err
    assert "has given no sign of life for 3 s" in err


def test_processes_that_never_come_are_waited_for_as_long_as_is_said(endless):
    (only,) = as_by_srun("config.json", "--timeout", "2", world=1)
    only.kill()
    only.communicate()
    process = started(
        "config.json", "--timeout", "2", RANK="0", WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="0"
    )
    code, err = ended(process, 60)
    assert code == 1
    assert "MASTER_PORT must be from 1 to 65535" in err
    process = started("config.json", "--timeout", "2", RMLDNN_JOB="a", RANK="0", WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    code, err = ended(process, 60)
    assert code == 1
    assert "process 0 of 2 did not meet the others on this node within 2 s" in err


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def ssh(tmp_path):
    """Goes nowhere: the other hosts are this one."""
    return script(tmp_path / "ssh.sh", '#!/bin/sh\nshift\nexec sh -c "$*"\n')


def test_a_run_on_two_hosts(train, pictures, rmldnn, ssh):
    assert train().code == 0
    alone = np.loadtxt(pictures / "out_train.txt")[:, -2:]
    Path("hosts.txt").write_text("127.0.0.2 slots=2\n127.0.0.3 slots=1\n")
    result = rmldnn("launch", "--hosts", "hosts.txt", "--ssh", ssh, "config.json")
    assert result.code == 0, result.err
    assert "RocketML : 3 MPI processes" in result.out
    np.testing.assert_allclose(np.loadtxt(pictures / "out_train.txt")[:, -2:], alone, atol=1e-4)


def test_all_hosts_are_told_to_leave(endless, ssh):
    Path("hosts.txt").write_text("127.0.0.2\n127.0.0.3\n")
    process = started("launch", "--hosts", "hosts.txt", "--ssh", str(ssh), "config.json")
    until(process, "Train Epoch [  3/")
    process.send_signal(signal.SIGUSR1)
    code, err = ended(process, 60)
    assert (code, err.count("stopped by SIGUSR1; the state is in")) == (128 + signal.SIGUSR1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hosts", "none.txt", "config.json"], "cannot read `none.txt`"),
        (["--hosts", "hosts.txt"], "name a configuration file"),
        (["--hosts", "hosts.txt", "config.json", "--procs", "2"], "the file of hosts says how many"),
        (["--hosts", "hosts.txt", "--port", "0", "config.json"], "--port: must be from 1 to 65535, got 0"),
    ],
)
def test_what_is_wrong_with_a_launch(tmp_path, monkeypatch, rmldnn, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("hosts.txt").write_text("a\n")
    Path("config.json").write_text("{}")
    result = rmldnn("launch", *arguments)
    assert result.code == 2
    assert message in result.err


@pytest.fixture
def networks():
    """Two network namespaces with a cable between them; gives what reaches them in the place of ssh, and a cutter."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and ip (Debian: iproute2)")
    name = f"rmldnn{secrets.token_hex(2)}"
    names = [f"{name}{end}" for end in "ab"]

    def ip(*words, check=True):
        return subprocess.run(["ip", *words], check=check, capture_output=True)

    if ip("netns", "add", names[0], check=False).returncode:
        pytest.skip("needs the right to make network namespaces")
    ip("netns", "add", names[1])
    ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
    for number, end in enumerate(names, 1):
        ip("link", "set", end, "netns", end)
        ip("-n", end, "addr", "add", f"10.213.77.{number}/24", "dev", end)
        ip("-n", end, "link", "set", end, "up")
        ip("-n", end, "link", "set", "lo", "up")
    yield names, lambda: ip("-n", names[1], "link", "set", names[1], "down")
    for end in names:
        ip("netns", "del", end)


def test_a_host_that_is_cut_off(endless, rmldnn, networks):
    names, cut = networks
    hosts = "".join(f"  10.213.77.{number}) space={name};;\n" for number, name in enumerate(names, 1))
    ssh = script(Path("ssh.sh"), f'#!/bin/sh\ncase $1 in\n{hosts}esac\nshift\nexec ip netns exec $space sh -c "$*"\n')
    Path("hosts.txt").write_text("10.213.77.1\n10.213.77.2\n")
    process = started("launch", "--hosts", "hosts.txt", "--ssh", str(ssh.absolute()), "config.json", "--timeout", "5")
    until(process, "Train Epoch [  3/")
    cut()
    code, err = ended(process, 40)
    assert code == 1
    assert re.search(
        r"process 0 of 2 stops because process 1 on \S+ has given no sign of life for 5 s: it hangs, or", err
    )
    assert "--resume" in err
    goes_on(rmldnn)


SBATCH = """#!/bin/sh
export SLURM_JOB_ID=4711 SLURM_JOB_NODELIST=node[1-2]
bash "$1" >> job.log 2>&1
code=$?
if [ -e requeued ]; then SLURM_RESTART_COUNT=1 bash "$1" >> job.log 2>&1; code=$?; fi
echo "$code" > code
echo "Submitted batch job 4711"
"""
SCONTROL = """#!/bin/sh
case "$1" in
  show) echo 127.0.0.1; echo node2;;
  requeue) echo "$2" >> requeued;;
esac
"""
SRUN = f"""#!{sys.executable}
import os, signal, subprocess, sys, time
words = sys.argv[1:]
while words[0].startswith("--"):
    del words[0]
first = "SLURM_RESTART_COUNT" not in os.environ
told = {{"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "0", "SLURM_STEP_ID": "0"}}
tasks = [subprocess.Popen(words, env={{**os.environ, **told, "SLURM_PROCID": str(rank)}}) for rank in range(2)]
while first and "Train Epoch [  3/" not in open("job.log").read() and tasks[0].poll() is None:
    time.sleep(0.05)
for task in tasks if first else []:
    task.send_signal(signal.SIGUSR1)
sys.exit(max(task.wait() for task in tasks))
"""


def test_a_job_whose_time_is_over_goes_on(pictures, config, rmldnn, tmp_path):
    config["num_epochs"] = 40
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    for name, text in {"sbatch": SBATCH, "scontrol": SCONTROL, "srun": SRUN}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        script(tmp_path / "bin" / name, text)
    result = rmldnn(
        "submit", "config.json", "--nodes", "2", "--time", "30", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    )
    log = Path("job.log").read_text()
    assert result.code == 0, result.err
    assert "Submitted batch job 4711" in result.out
    assert Path("config.sbatch").read_text() in result.out
    assert Path("requeued").read_text() == "4711\n", log
    assert "stopped by SIGUSR1; the state is in `runs/config-4711/state/" in log
    assert "Going on with epoch" in log
    assert Path("code").read_text() == "0\n", log
    assert [line.split()[1] for line in Path("out_test.txt").read_text().splitlines()] == [*map(str, range(1, 41))]
    sessions = json.loads(Path("runs/config-4711/run.json").read_text())["sessions"]
    assert [session["outcome"].partition(";")[0] for session in sessions] == ["stopped by SIGUSR1", "complete"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config.json", "--time", "soon"], "--time: must be minutes, hours:minutes:seconds or days-hours, got `soon`"),
        (
            ["config.json", "--time", "2:00"],
            "--time: must be at least 5 minutes, got `2:00`, which SLURM reads as 120 s",
        ),
        (["config.json", "--time", "30", "layers=none.json"], "none.json"),
        (["config.json", "--time", "30", "--nodes", "0"], "--nodes: must be a positive integer, got 0"),
        (["config.json", "--time", "30", "num_epochs=0"], "num_epochs: must be a positive integer, got 0"),
        (["config.json", "--time", "30", "--", "mem"], "takes lines for sbatch, which begin with `--`, got `mem`"),
        (["config.json"], "the following arguments are required: --time"),
    ],
)
def test_a_wrong_job_is_not_submitted(pictures, config, rmldnn, arguments, message):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    result = rmldnn("submit", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not list(pictures.glob("*.sbatch"))


def test_a_script_of_the_user_stays(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    (pictures / "config.sbatch").write_text("#!/bin/bash\n#SBATCH --mem=0\n")
    result = rmldnn("submit", "config.json", "--time", "30")
    assert result.code == 1
    assert "`config.sbatch` is there already, and was not written by rmldnn submit; move it" in result.err
    assert (pictures / "config.sbatch").read_text() == "#!/bin/bash\n#SBATCH --mem=0\n"


def test_a_script_of_ours_is_written_anew(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    for minutes in ("30", "40"):
        assert "there is no `sbatch`" in rmldnn("submit", "config.json", "--time", minutes, PATH="/none").err
    assert "--time=40" in (pictures / "config.sbatch").read_text()


@pytest.mark.parametrize(
    ("words", "cores"),
    [
        ([], ["8"]),
        (["--cpus-per-proc", "0"], []),
        (["--cpus-per-proc", "4"], ["4"]),
        (["--", "--exclusive"], []),
        (["--", "--cpus-per-gpu=9"], []),
    ],
)
def test_cores_beside_gpus(pictures, config, rmldnn, words, cores):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    script = rmldnn("submit", "config.json", "--time", "30", "--print", "--gpus-per-node", "2", *words).out
    assert re.findall(r"#SBATCH --cpus-per-task=(\d+)", script) == cores


def test_a_run_folder_of_the_user_stays(pictures, config, rmldnn):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    mine = rmldnn("submit", "config.json", "run_folder=mine", "--time", "30", "--print").out
    assert '-m rmldnn config.json run_folder=mine "${resume[@]}"' in mine
    assert "ls mine/state " in mine
    own = rmldnn("submit", "config.json", "--time", "30", "--print").out
    assert '-m rmldnn config.json run_folder="runs/config-$SLURM_JOB_ID" "${resume[@]}"' in own


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
