"""Shards from a server: fetched once, whole, and compared with their index."""

import multiprocessing

import numpy as np
import pytest

from rmldnn.data import http
from rmldnn.data.shards.index import Described, load
from rmldnn.data.shards.reading import Reader, Shard
from rmldnn.data.shards.remote import Cache, bytes_of
from rmldnn.data.shards.writing import Writer
from rmldnn.errors import ConfigError, DataError


@pytest.fixture
def shards(server):
    """Five shards of one sample with their indexes."""
    with Writer(server.folder, "train", 1, {"input": Described(["npy"], "values", "arrays")}) as writer:
        for number in range(5):
            writer.write(str(number), {"npy": bytes(1000) + bytes([number])})
    return [f"{server.url}/train-{number:06}.tar" for number in range(5)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "_PAUSE", 0.001)


def _last(shard):
    column = shard.index.columns["npy"]
    return Reader([shard]).read(0, column.offsets[0], column.sizes[0])[-1]


def test_the_index_tells_what_there_is_without_the_shard(server, shards, tmp_path):
    shard = Shard(shards[0], Cache(str(tmp_path / "cache")))
    assert shard.index.keys == ["0"]
    assert server.asked == ["/train-000000.idx.json"]


def test_a_shard_is_fetched_once(server, shards, tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    assert [_last(Shard(shards[3], cache)) for _ in range(3)] == [3, 3, 3]
    assert sorted(server.asked) == ["/train-000003.idx.json", "/train-000003.tar"]


def test_a_filled_cache_needs_no_server(server, shards, tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    _last(Shard(shards[2], cache))
    server.faults = 10**6
    assert _last(Shard(shards[2], cache)) == 2


def test_an_index_is_made_where_the_server_has_none(server, shards, tmp_path):
    for file in server.folder.glob("*.idx.json"):
        file.unlink()
    cache = Cache(str(tmp_path / "cache"))
    assert [_last(Shard(shards[1], cache)) for _ in range(2)] == [1, 1]
    assert server.asked.count("/train-000001.tar") == 1


def test_a_server_that_stumbles_is_asked_again(server, shards, tmp_path):
    server.faults = 3
    assert _last(Shard(shards[0], Cache(str(tmp_path / "cache")))) == 0


def test_a_server_that_always_fails_is_told(server, shards, tmp_path):
    server.faults = 10**6
    with pytest.raises(DataError, match=r"cannot fetch this file: the server answers 503"):
        Shard(shards[0], Cache(str(tmp_path / "cache")))


def test_a_missing_shard_is_told(server, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.tar: cannot fetch this file: the server answers 404"):
        Shard(f"{server.url}/nothing.tar", Cache(str(tmp_path / "cache")))


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be reached"):
        Shard("http://127.0.0.1:9/a.tar", Cache(str(tmp_path / "cache")))


def test_a_shard_that_is_not_that_of_its_index_is_told(server, shards, tmp_path):
    path = server.folder / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="sha256"):
        _last(Shard(shards[0], Cache(str(tmp_path / "cache"))))
    assert not list((tmp_path / "cache").glob("*.tar"))


def test_several_processes_fetch_a_shard_once(server, shards, tmp_path):
    shard = Shard(shards[4], Cache(str(tmp_path / "cache")))
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_last, args=(shard,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert server.asked.count("/train-000004.tar") == 1


def test_a_bounded_cache_drops_what_was_used_longest_ago(server, shards, tmp_path):
    size = load(server.folder / "train-000000.idx.json").tar_bytes
    cache = Cache(str(tmp_path / "cache"), limit=2 * size)
    assert [_last(Shard(shards[number], cache)) for number in (0, 1, 0, 2)] == [0, 1, 0, 2]
    assert sorted(path.name[-5] for path in (tmp_path / "cache").glob("*.tar")) == ["0", "2"]


def test_a_reader_goes_on_with_a_shard_that_was_dropped(server, shards, tmp_path):
    cache = Cache(str(tmp_path / "cache"), limit=1)
    reader = Reader([Shard(url, cache) for url in shards])
    for number in np.random.default_rng(0).integers(0, 5, 20):
        column = reader.shards[number].index.columns["npy"]
        assert reader.read(number, column.offsets[0], column.sizes[0])[-1] == number


def test_secrets_of_an_address_are_not_told():
    assert http.shown("https://me:secret@host/a.tar?sig=key") == "https://host/a.tar"


def test_sizes_are_read():
    assert bytes_of("256MB", "x") == 256 * 10**6
    assert bytes_of("1.5 GiB", "x") == 3 * 2**29
    for wrong in ("", "0", "-1GB", "many", "1 parsec"):
        with pytest.raises(ConfigError, match="must be a size"):
            bytes_of(wrong, "data.cache_limit")
