"""Connections that are cut, in this process and in a run."""

import socket
import sys

import pytest
from test_parallel import finish, start

from rmldnn.engine.lines import Lines


def pair(server):
    """Both ends of a connection."""
    near = socket.create_connection(server.getsockname())
    return near, server.accept()[0]


def test_who_waits_at_a_line_that_is_cut_is_woken():
    lines = Lines()
    with socket.create_server(("127.0.0.1", 0)) as server:
        stranger, other = pair(server)
        with lines.noted():
            near, far = pair(server)
        lines.cut()
        assert (near.recv(1), far.recv(1)) == (b"", b"")
        stranger.sendall(b"a")
        assert other.recv(1) == b"a", "it was there before"
        for end in (stranger, other, near, far):
            end.close()


def test_who_listens_goes_on():
    lines = Lines()
    with lines.noted():
        server = socket.create_server(("127.0.0.1", 0))
    lines.cut()
    for end in (*pair(server), server):
        end.close()


FAILS = """
import os, signal, sys, time
import torch
from pathlib import Path
from rmldnn.engine.interface import open_engine
from rmldnn.errors import DataError

with open_engine(timeout=60) as engine:
    engine.everyone(0)
    if engine.rank == 1:
        Path(sys.argv[1]).touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    while not Path(sys.argv[1]).exists():
        time.sleep(0.01)
    engine.begin_total(torch.ones(3))
    raise DataError("nothing can be read")
"""


@pytest.mark.slow
def test_who_fails_does_not_wait_for_one_that_hangs(tmp_path):
    told = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1", "SLURM_JOB_ID": str(tmp_path)}
    first, frozen = [
        start(
            [sys.executable, "-c", FAILS, str(tmp_path / "frozen")],
            SLURM_PROCID=str(rank),
            SLURM_LOCALID=str(rank),
            **told,
        )
        for rank in range(2)
    ]
    try:
        _, err = first.communicate(timeout=50)
    finally:
        first.kill()
        first.wait()
        frozen.kill()
        finish([frozen])
    assert "DataError: nothing can be read" in err
