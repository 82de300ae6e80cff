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
    program = ssh('if [ "$1" = 127.0.0.3 ]; then echo "no route to host" >&2; exit 255; fi; read told; read order')
    assert hosts.start(TWO, ["config.json"], ssh=program) == 255
    assert capfd.readouterr().err == (
        "[127.0.0.3] no route to host\n"
        f"rmldnn: error: 127.0.0.3 cannot be reached; `{program} 127.0.0.3 true` must work without a password\n"
    )


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_a_host_without_rmldnn(ssh, capfd, python):
    program = ssh('if [ "$1" = 127.0.0.2 ]; then read told; read order; exit; fi; shift; exec sh -c "$*"')
    assert hosts.start(TWO, ["config.json"], ssh=program, python=python) == 79
    assert capfd.readouterr().err == (
        f"rmldnn: error: `{python}` on 127.0.0.3 is no Python that has rmldnn; install it there, or name the Python "
        "that has it by --python\n"
    )


def test_without_ssh():
    with pytest.raises(LaunchError, match="`/nowhere/ssh` is not installed"):
        hosts.start(TWO, ["config.json"], ssh="/nowhere/ssh -p 2222")


@pytest.fixture
def shows(tmp_path):
    """Stands in the place of Python, has rmldnn, and shows its environment."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nif [ "$1" = -c ]; then exit; fi\nenv -0 | tr "\\n\\0" "|\\n"\n')
    program.chmod(0o755)
    return str(program)


def test_variables_that_matter_go_along_and_nobody_sees_them(ssh, shows, capfd, monkeypatch, tmp_path):
    ours = {"OMP_NUM_THREADS": "3", "NCCL_DEBUG": "it's on", "MINE": 'two\nlines, $HOME and "more"'}
    for name, text in {**ours, "MINE_TOO": "stays", "PYTHONPATH_OLD": "stays", "OTHER": "stays"}.items():
        monkeypatch.setenv(name, text)
    # As on another machine, where none of them is set.
    program = ssh(f'echo "$*" > {tmp_path}/seen; shift; exec env -i PATH="$PATH" sh -c "$*"')
    assert hosts.start(TWO[:1], ["config.json"], ssh=program, python=shows, export=["MINE"]) == 0
    there = capfd.readouterr().out.splitlines()
    for name, text in ours.items():
        assert f"{name}={text}".replace("\n", "|") in there
    assert not [line for line in there if line.endswith("stays")]
    seen = (tmp_path / "seen").read_text()
    assert not [text for text in ours.values() if text in seen and len(text) > 1]
    assert "MINE" not in seen


def test_a_variable_that_is_not_set_is_told(ssh, monkeypatch):
    monkeypatch.setenv("NONE_AT_ALL", "1")
    monkeypatch.delenv("NONE", raising=False)
    with pytest.raises(ConfigError, match="command line: --export: `NONE` is not set here"):
        hosts.start(TWO, ["config.json"], ssh=ssh("exit"), export=["NONE"])


def test_a_wrong_python_on_this_machine(capfd):
    assert hosts.start([Host("localhost", 1)], ["--version"], python="/nowhere/python") == 79
    assert "`/nowhere/python` on localhost is no Python that has rmldnn" in capfd.readouterr().err


def test_the_end_of_a_machine_s_part_is_told_as_that(ssh, capfd):
    assert hosts.start(TWO[:1], ["config.json"], ssh=ssh("kill -9 $$")) == 128 + 9
    assert "rmldnn: error: rmldnn on 127.0.0.2 was ended by SIGKILL; the machine may" in capfd.readouterr().err


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
