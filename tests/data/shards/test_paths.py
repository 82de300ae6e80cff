"""Which shards a path names."""

import time

import pytest

from rmldnn.data.shards.paths import expand
from rmldnn.data.source import Side
from rmldnn.errors import ConfigError, DataError


def _expand(path, which="train"):
    return expand(Side(which, "input", path))


@pytest.fixture
def shards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        (tmp_path / f"train-{number:06}.tar").touch()


@pytest.mark.parametrize(
    "path", ["train-{000000..000002}.tar", "train-*.tar", ".", "train-{000000..000001}.tar::train-000002.tar"]
)
def test_patterns_globs_folders_and_lists_name_shards(shards, path):
    assert [name[-10:] for name in _expand(path)] == ["000000.tar", "000001.tar", "000002.tar"]


def test_addresses_are_expanded_without_looking(shards):
    assert _expand("http://a/{0..1}.tar") == ["http://a/0.tar", "http://a/1.tar"]


@pytest.mark.parametrize("path", ["pipe:cat x.tar", "PIPE:cat x", "a.tar::pipe:rm x", "| cat"])
def test_commands_are_refused(shards, path):
    with pytest.raises(ConfigError, match="is a command"):
        _expand(path.replace("a.tar", "train-000000.tar"))


@pytest.mark.parametrize("path", ["file:train-000000.tar", "s3://bucket/a.tar", "gs://x/{0..1}.tar", "HTTP:x"])
def test_other_schemes_are_refused(shards, path):
    with pytest.raises(ConfigError, match="has the scheme"):
        _expand(path)


def test_a_missing_shard_of_a_pattern_is_told(shards):
    with pytest.raises(DataError, match=r"`train-000003.tar` does not exist \(named by `train-\{"):
        _expand("train-{000000..000003}.tar")


def test_a_pattern_of_too_many_shards_is_refused_at_once(shards):
    with pytest.raises(ConfigError, match="names 1000000000000 shards"):
        _expand("{0..999999}{0..999999}.tar")


def test_a_brace_without_partner_is_told(shards):
    with pytest.raises(ConfigError, match="without its partner"):
        _expand("train-{000.tar")


def test_a_shard_that_is_named_twice_is_told(shards):
    with pytest.raises(ConfigError, match="twice"):
        _expand("train-000000.tar::train-000000.tar")


def test_many_shards_are_compared_in_no_time():
    began = time.process_time()
    assert len(_expand("http://a/{00000..19999}.tar")) == 20_000
    assert time.process_time() - began < 5


def _touch(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return str(folder)


def test_a_folder_of_both_sets_gives_the_wanted_one(tmp_path):
    path = _touch(tmp_path / "both", "train-000000.tar", "train-000001.tar", "test-000000.tar")
    assert [name[-16:] for name in _expand(path)] == ["train-000000.tar", "train-000001.tar"]
    assert [name[-15:] for name in _expand(path, "test")] == ["test-000000.tar"]


def test_a_set_for_validation_is_a_test_set(tmp_path):
    path = _touch(tmp_path / "both", "imagenet-train-000000.tar", "imagenet-val-000000.tar")
    assert [name[-14:] for name in _expand(path, "test")] == ["val-000000.tar"]


def test_a_folder_of_one_set_is_taken_for_any(tmp_path):
    path = _touch(tmp_path / "one", "train-000000.tar", "train-000001.tar")
    assert len(_expand(path, "test")) == 2


def test_names_that_only_look_like_those_of_sets_tell_nothing(tmp_path):
    path = _touch(tmp_path / "any", "latest.tar", "trains.tar", "values.tar", "0.tar")
    assert len(_expand(path)) == 4


@pytest.mark.parametrize("other", [["test-0.tar", "val-0.tar"], ["more.tar"], []])
def test_a_folder_of_which_the_wanted_set_is_not_clear_is_refused(tmp_path, other):
    path = _touch(tmp_path / "mixed", "train-0.tar" if other else "dev-0.tar", *(other or ["test-0.tar"]))
    with pytest.raises(
        ConfigError, match=r"data\.test_input_path: the folder .* holds shards of several sets.*pattern"
    ):
        _expand(path, "test")
