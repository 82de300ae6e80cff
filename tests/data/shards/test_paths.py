"""Which shards a path names."""

import pytest

from rmldnn.data.shards.paths import expand
from rmldnn.errors import ConfigError, DataError


@pytest.fixture
def shards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        (tmp_path / f"train-{number:06}.tar").touch()


@pytest.mark.parametrize(
    "path", ["train-{000000..000002}.tar", "train-*.tar", ".", "train-{000000..000001}.tar::train-000002.tar"]
)
def test_patterns_globs_folders_and_lists_name_shards(shards, path):
    assert [name[-10:] for name in expand(path, "input_path")] == ["000000.tar", "000001.tar", "000002.tar"]


def test_addresses_are_expanded_without_looking(shards):
    assert expand("http://a/{0..1}.tar", "input_path") == ["http://a/0.tar", "http://a/1.tar"]


@pytest.mark.parametrize("path", ["pipe:cat x.tar", "PIPE:cat x", "a.tar::pipe:rm x", "| cat"])
def test_commands_are_refused(shards, path):
    with pytest.raises(ConfigError, match="is a command"):
        expand(path.replace("a.tar", "train-000000.tar"), "input_path")


@pytest.mark.parametrize("path", ["file:train-000000.tar", "s3://bucket/a.tar", "gs://x/{0..1}.tar", "HTTP:x"])
def test_other_schemes_are_refused(shards, path):
    with pytest.raises(ConfigError, match="has the scheme"):
        expand(path, "input_path")


def test_a_missing_shard_of_a_pattern_is_told(shards):
    with pytest.raises(DataError, match=r"`train-000003.tar` does not exist \(named by `train-\{"):
        expand("train-{000000..000003}.tar", "input_path")


def test_a_pattern_of_too_many_shards_is_refused_at_once(shards):
    with pytest.raises(ConfigError, match="names 1000000000000 shards"):
        expand("{0..999999}{0..999999}.tar", "input_path")


def test_a_brace_without_partner_is_told(shards):
    with pytest.raises(ConfigError, match="without its partner"):
        expand("train-{000.tar", "input_path")


def test_a_shard_that_is_named_twice_is_told(shards):
    with pytest.raises(ConfigError, match="twice"):
        expand("train-000000.tar::train-000000.tar", "input_path")
