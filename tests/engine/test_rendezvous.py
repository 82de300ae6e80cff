import os
import socket
import threading
import time

import pytest

from rmldnn.engine import rendezvous
from rmldnn.engine.ranks import Ranks
from rmldnn.engine.rendezvous import meet
from rmldnn.errors import LaunchError


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def join(world=2, job="job", address=None, delay=0.0, timeout=20.0):
    """What each of several processes, played by threads, gets from a meeting."""
    got = {}
    stores = []  # kept until all have left: rank 0's is the server that answers the others

    def one(rank):
        if rank == 0:
            time.sleep(delay)
        try:
            with meet(Ranks(rank, world, rank, world, address, job), timeout) as (store, host, port):
                stores.append(store)
                store.set(f"said by {rank}", str(port))
                got[rank] = (host, [store.get(f"said by {other}").decode() for other in range(world)])
        except LaunchError as error:
            got[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_processes_of_a_node_find_each_other():
    got = join(world=3)
    assert got[0] == got[1] == got[2]
    assert got[0][0] == "127.0.0.1"


def test_rank_0_may_come_late():
    got = join(delay=0.5)
    assert got[0] == got[1]


def test_nothing_is_left_behind(temporary_folder):
    join()
    assert not list(temporary_folder.iterdir())


def test_file_of_a_killed_job_does_not_mislead():
    file = rendezvous._file("job")
    file.write_text("1")  # nobody listens there
    got = join(delay=0.5)
    assert got[0] == got[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_file_of_another_user_is_not_believed():
    file = rendezvous._file("job")
    file.write_text("1")
    os.chown(file, 12345, 12345)
    with pytest.raises(LaunchError, match="rank 0 has published no port"), meet(Ranks(1, 2, 1, 2, job="job"), 0.5):
        pass


@pytest.mark.parametrize("rank", [0, 1])
def test_absent_processes_are_waited_for_in_bounded_time(rank):
    began = time.monotonic()
    with (
        pytest.raises(LaunchError, match=f"process {rank} of 2 did not meet the others on this node within 0.5 s"),
        meet(Ranks(rank, 2, rank, 2, job="job"), 0.5),
    ):
        pass
    assert time.monotonic() - began < 10


def test_absent_process_at_an_address():
    address = ("127.0.0.1", 1)
    with (
        pytest.raises(LaunchError, match=r"did not meet the others at 127.0.0.1:1 within"),
        meet(Ranks(1, 2, 1, 2, address), 1.0),
    ):
        pass


@pytest.mark.parametrize("rank", [0, 1])
def test_a_name_that_no_machine_has(rank):
    with (
        pytest.raises(LaunchError, match=r"knows no machine by the name `nowhere\.invalid` \(.+\), tried for"),
        meet(Ranks(rank, 2, 0, 1, ("nowhere.invalid", 29500)), 1.0),
    ):
        pass


def test_a_process_of_another_run_at_the_same_port_is_not_counted():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    got = []

    def one(rank, job):
        try:
            with meet(Ranks(rank, 2, 0, 1, address, everywhere=job), 2.0):
                got.append(rank)
        except LaunchError as error:
            got.append(str(error))

    threads = [threading.Thread(target=one, args=place) for place in ((0, "first"), (1, "second"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 2
    assert all("did not meet the others" in str(words) for words in got)
