import sys

import pytest

import rmldnn
from rmldnn.errors import ConfigError, LaunchError
from rmldnn.launching import hosts, node
from rmldnn.launching.hosts import Host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node1 slots=4\nnode2 slots=2\n", [Host("node1", 4), Host("node2", 2)]),
        ("# all\n\nnode1 slots = 4 max_slots=8  # big\nme@10.0.0.2\n", [Host("node1", 4), Host("me@10.0.0.2", 1)]),
        ("node-1.cluster:4\n", [Host("node-1.cluster", 4)]),
        ("localhost slots=2\n", [Host("localhost", 2)]),
    ],
)
def test_files_of_hosts(tmp_path, text, expected):
    (tmp_path / "hosts").write_text(text)
    assert hosts.read(tmp_path / "hosts") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node1 slots=4\nnode2 slot=4\n", "hosts:2: `node2 slot=4` is no host; write `name slots=4`"),
        ("node1 slots=0\n", "hosts:1: `node1 slots=0` is no host"),
        ("node1\nnode1\n", "hosts:2: node1 is there twice; give it all its slots on one line"),
        ("# none\n", "hosts` names no host"),
        ("localhost slots=2\nnode1 slots=2\n", "begins with localhost, which the other hosts cannot reach; write its"),
    ],
)
def test_wrong_files_of_hosts(tmp_path, text, message):
    (tmp_path / "hosts").write_text(text)
    with pytest.raises(ConfigError) as caught:
        hosts.read(tmp_path / "hosts")
    assert message in str(caught.value)


def test_a_missing_file_of_hosts(tmp_path):
    with pytest.raises(ConfigError, match="cannot read `.*none`: No such file or directory"):
        hosts.read(tmp_path / "none")


@pytest.fixture
def ssh(tmp_path):
    """Makes a program in the place of ssh, which gets a host and a command for its shell."""

    def ssh(script):
        program = tmp_path / "ssh"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    return ssh


TWO = [Host("127.0.0.2", 1), Host("127.0.0.3", 1)]


def test_a_host_that_cannot_be_reached(ssh, capfd):
    program = ssh('if [ "$1" = 127.0.0.3 ]; then echo "no route to host" >&2; exit 255; fi; read order')
    assert hosts.start(TWO, ["config.json"], ssh=program) == 255
    assert capfd.readouterr().err == (
        "[127.0.0.3] no route to host\n"
        f"rmldnn: error: 127.0.0.3 cannot be reached; `{program} 127.0.0.3 true` must work without a password\n"
    )


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_a_host_without_rmldnn(ssh, capfd, python):
    program = ssh('if [ "$1" = 127.0.0.2 ]; then read order; exit; fi; shift; exec sh -c "$*"')
    assert hosts.start(TWO, ["config.json"], ssh=program, python=python) == 79
    assert capfd.readouterr().err == (
        f"rmldnn: error: `{python}` on 127.0.0.3 has no rmldnn; install it there, or name the Python that has it by "
        "--python\n"
    )


def test_without_ssh():
    with pytest.raises(LaunchError, match="`/nowhere/ssh` is not installed"):
        hosts.start(TWO, ["config.json"], ssh="/nowhere/ssh -p 2222")


def test_variables_that_matter_go_along(ssh, capfd, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("NCCL_DEBUG", "it's on")
    monkeypatch.setenv("MINE", "here")
    monkeypatch.setenv("OTHER", "stays")
    program = ssh('shift; echo "$*"')
    assert hosts.start(TWO[:1], ["config.json", "a='b c'"], ssh=program, export=["MINE"]) == 0
    said = capfd.readouterr().out
    assert all(text in said for text in ("OMP_NUM_THREADS=3", "MINE=here", "NCCL_DEBUG"))
    assert "OTHER" not in said


PLACE = ["--job", "a", "--address", "b", "--port", "1", "--first", "0", "--count", "1", "--world", "1"]


def test_another_version_is_refused(tmp_path):
    with pytest.raises(LaunchError, match=f"has rmldnn {rmldnn.__version__}, but the run was started with 9.9; inst"):
        node.main(["--version", "9.9", "--directory", str(tmp_path), *PLACE, "--", "config.json"])


def test_a_host_without_the_folder_is_refused(tmp_path):
    there = ["--version", rmldnn.__version__, "--directory", str(tmp_path / "none"), *PLACE]
    with pytest.raises(LaunchError, match="cannot enter `.*none`: No such file or directory; start from a folder that"):
        node.main([*there, "--", "config.json"])


def test_this_machine_needs_no_ssh(capfd):
    assert hosts.start([Host("localhost", 1)], ["--version"], ssh="/nowhere/ssh", python=sys.executable) == 0
    assert capfd.readouterr().out == f"rmldnn {rmldnn.__version__}\n"
