"""Reading from many shards by many threads and processes at once."""

import gc
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rmldnn.data.shards import reading
from rmldnn.data.shards.reading import Reader, Shard
from rmldnn.data.shards.remote import Cache

SHARDS, THREADS = 40, 8


@pytest.fixture
def opened(tmp_path, tar, monkeypatch):
    """Opens a reader of many shards, shard `i` with bytes of the value `i`, of which few may be open."""
    monkeypatch.setattr(reading, "OPEN", 2)
    paths = [tar(tmp_path / f"{number}.tar", [("0.jpg", bytes([number]) * 5000)]) for number in range(SHARDS)]
    cache = Cache(str(tmp_path / "cache"))
    return lambda: Reader([Shard(str(path), cache) for path in paths])


def _files():
    return len(list(Path("/proc/self/fd").iterdir()))


def _wrong(reader, turns=50):
    """How many of many reads by several threads give other bytes than those asked for, or none."""

    def is_wrong(turn):
        number = turn * 7 % SHARDS
        try:
            return reader.read(number, 512, 5000) != bytes([number]) * 5000
        except Exception:
            return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(is_wrong, range(turns * SHARDS)))


def test_threads_get_the_bytes_they_ask_for_however_few_files_are_open(opened):
    assert _wrong(opened()) == 0


def test_files_are_closed(opened):
    before = _files()
    reader = opened()
    _wrong(reader)
    assert _files() <= before + reading.OPEN
    del reader
    gc.collect()
    assert _files() <= before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_are_forked_while_threads_read_can_read_as_well(opened):
    reader = opened()
    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(1) as pool:
        here = pool.submit(_wrong, reader, 100)
        children = [context.Process(target=lambda: os._exit(min(_wrong(reader, 5), 1))) for _ in range(6)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0] * len(children)
        assert here.result() == 0
