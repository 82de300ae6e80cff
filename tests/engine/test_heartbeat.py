"""Lines between processes that are played by threads of one."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest
from torch.distributed import HashStore

from rmldnn.engine.heartbeat import UNREACHABLE, Heartbeat, farewell
from rmldnn.engine.ranks import Ranks


@contextlib.contextmanager
def lines(world, timeout=20.0):
    """The heartbeats of some processes."""
    store, beats = HashStore(), {}

    def one(rank):
        beats[rank] = Heartbeat(Ranks(rank, world), store, "127.0.0.1", timeout)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        yield [beats[rank] for rank in range(world)]
    finally:
        for beat in beats.values():
            beat.close(well=False)


def test_all_hear_of_a_process_that_ends():
    with lines(3) as (first, second, third):
        third.close(well=False)
        gone = f"process 2 on {socket.gethostname()} has ended"
        assert (first.reason(10), second.reason(10)) == (gone, gone)


def test_all_hear_of_the_end_of_the_first_process():
    with lines(3) as (first, *others):
        first.close(well=False)
        for other in others:
            assert other.reason(10) == f"process 0 on {socket.gethostname()} has ended"


def test_processes_that_are_done_are_not_missed():
    with lines(3) as (first, second, third):
        third.close(well=True)
        first.close(well=True)
        assert (first.reason(1.5), second.reason(0)) == ("", "")


@pytest.mark.parametrize("silent", [0, 1])
def test_all_hear_of_a_process_that_is_silent(silent):
    with lines(3, timeout=2.5) as beats:
        beats[silent]._ended.set()  # it says nothing any more, and its line stays up
        others = [beat for rank, beat in enumerate(beats) if rank != silent]
        for other in others:
            assert other.reason(20) == (
                f"process {silent} on {socket.gethostname()} has given no sign of life for 2.5 s: it hangs, or was "
                "cut off"
            )


def test_processes_that_do_nothing_are_alive():
    with lines(2, timeout=2.5) as beats:
        assert beats[0].reason(4) == ""


def test_the_last_to_leave_wait_for_the_first():
    with lines(2) as (first, second):
        left = threading.Thread(target=second.close, kwargs={"well": True, "last": True})
        left.start()
        time.sleep(0.5)
        assert left.is_alive()
        first.close(well=True)
        left.join(10)
        assert not left.is_alive()


def test_strangers_are_not_counted():
    store, got = HashStore(), []
    answer = threading.Thread(target=lambda: got.append(Heartbeat(Ranks(0, 2), store, "127.0.0.1", 20.0)))
    answer.start()
    port = int(store.get("rmldnn/heartbeat").split()[0])
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\n")
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as other:
            other.sendall(b"0123 1 elsewhere\n")
            second = Heartbeat(Ranks(1, 2), store, "127.0.0.1", 20.0)
    answer.join(20)
    second.close(well=True)
    got[0].close(well=True)
    assert not got[0].reason(0)


def test_a_process_that_does_not_call_is_named():
    with pytest.raises(ConnectionError, match="process 1 did not call"):
        Heartbeat(Ranks(0, 2), HashStore(), "127.0.0.1", 0.5)


def test_a_farewell_says_how_to_go_on():
    words = farewell(Ranks(2, 4), "process 1 on node7 has ended")
    assert words.startswith("process 2 of 4 stops because process 1 on node7 has ended; the first message of that")
    assert words.endswith("goes on from its newest state by --resume")


def test_any_number_of_files_may_be_open():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
    held = [os.dup(0) for _ in range(1100)]  # more than `select` can tell apart
    try:
        with lines(2) as (first, second):
            second.close(well=False)
            assert first.reason(10).endswith("has ended")
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


ENDLESS = """
import threading, time
from torch.distributed import HashStore
from rmldnn.engine import heartbeat
from rmldnn.engine.ranks import Ranks

heartbeat._GRACE = 0.5
store, beats = HashStore(), {}

def one(rank):
    beats[rank] = heartbeat.Heartbeat(Ranks(rank, 2), store, "127.0.0.1", 3.0)

threads = [threading.Thread(target=one, args=(rank,)) for rank in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with beats[1].bounded():
    time.sleep(60)
"""


def test_a_process_that_cannot_be_joined_with_the_others_is_ended():
    ended = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 1
    assert f"process 1 of 2 stops because {UNREACHABLE}" in ended.stderr
