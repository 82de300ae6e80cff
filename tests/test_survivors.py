"""What becomes of the processes of a run when one of them is killed, hangs, or never comes."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.processes import as_by_srun, children, ended, goes_on, started, until

pytestmark = pytest.mark.slow


def last_session():
    """What the run folder tells of the end of a run."""
    return json.loads(Path("run/run.json").read_text())["sessions"][-1]


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
    if victim == 1:
        assert last_session()["outcome"].startswith("process 0 of 2 stops because process 1 on ")
    goes_on(rmldnn)


def test_survivors_of_a_process_that_hangs_end_by_themselves(endless):
    processes = as_by_srun("config.json", "--timeout", "8")
    until(processes[0], "Train Epoch [  3/")
    processes[1].send_signal(signal.SIGSTOP)
    code, err = ended(processes[0], 30)
    processes[1].kill()
    processes[1].communicate()
    assert code == 1
    assert "process 1 on " in err
    assert "has given no sign of life for 8 s" in err
    assert last_session()["ended"]
    assert "has given no sign of life for 8 s" in last_session()["outcome"]


def test_a_process_that_hangs_does_not_hold_up_the_launcher(endless):
    process = started("config.json", "--procs", "2", "--timeout", "8")
    until(process, "Train Epoch [  3/")
    os.kill(children(process.pid)[1], signal.SIGSTOP)
    code, err = ended(process, 40)
    assert code == 1
    assert "process 1 on " in err
    assert "has given no sign of life for 8 s" in err


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
