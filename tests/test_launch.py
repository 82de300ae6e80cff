"""Runs on several machines, which are this one, or parts of it that have networks of their own."""

import os
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.processes import ended, goes_on, script, started, until

pytestmark = pytest.mark.slow


@pytest.fixture
def ssh(tmp_path):
    """Goes nowhere: the other hosts are this one."""
    return script(tmp_path / "ssh.sh", '#!/bin/sh\nshift\nexec sh -c "$*"\n')


def test_a_run_on_two_hosts(train, pictures, rmldnn, ssh):
    assert train().code == 0
    alone = np.loadtxt(pictures / "out_train.txt")[:, -2:]
    Path("hosts.txt").write_text("127.0.0.2 slots=2\n127.0.0.3 slots=1\n")
    result = rmldnn("launch", "--hosts", "hosts.txt", "--ssh", ssh, "config.json")
    assert result.code == 0, result.err
    assert "RocketML : 3 MPI processes" in result.out
    np.testing.assert_allclose(np.loadtxt(pictures / "out_train.txt")[:, -2:], alone, atol=1e-4)


def test_all_hosts_are_told_to_leave(endless, ssh):
    Path("hosts.txt").write_text("127.0.0.2\n127.0.0.3\n")
    process = started("launch", "--hosts", "hosts.txt", "--ssh", str(ssh), "config.json")
    until(process, "Train Epoch [  3/")
    process.send_signal(signal.SIGUSR1)
    code, err = ended(process, 60)
    assert (code, err.count("stopped by SIGUSR1; the state is in")) == (128 + signal.SIGUSR1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hosts", "none.txt", "config.json"], "cannot read `none.txt`"),
        (["--hosts", "hosts.txt"], "name a configuration file"),
        (["--hosts", "hosts.txt", "config.json", "--procs", "2"], "the file of hosts says how many"),
        (["--hosts", "hosts.txt", "--port", "0", "config.json"], "--port: must be from 1 to 65535, got 0"),
    ],
)
def test_what_is_wrong_with_a_launch(tmp_path, monkeypatch, rmldnn, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("hosts.txt").write_text("a\n")
    Path("config.json").write_text("{}")
    result = rmldnn("launch", *arguments)
    assert result.code == 2
    assert message in result.err


@pytest.fixture
def spaces():
    """Makes network namespaces, `spaces("abc")`; gives what calls `ip`, and their names."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and ip (Debian: iproute2)")
    made = []

    def ip(*words, check=True):
        return subprocess.run(["ip", *words], check=check, capture_output=True)

    def make(ends):
        name = f"rmldnn{secrets.token_hex(2)}"
        for end in ends:
            if ip("netns", "add", f"{name}{end}", check=False).returncode:
                pytest.skip("needs the right to make network namespaces")
            made.append(f"{name}{end}")
            ip("-n", made[-1], "link", "set", "lo", "up")
        return ip, list(made)

    yield make
    for name in made:
        ip("netns", "del", name)


def cable(ip, one, other, number):
    """A cable between two namespaces, 10.213.<number>.1 and .2 at its ends."""
    ends = f"{one}{number}", f"{other}{number}"
    ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for place, (end, space) in enumerate(zip(ends, (one, other), strict=True), 1):
        ip("link", "set", end, "netns", space)
        ip("-n", space, "addr", "add", f"10.213.{number}.{place}/24", "dev", end)
        ip("-n", space, "link", "set", end, "up")


def into(spaces):
    """A program in the place of ssh, which enters the namespace of an address."""
    cases = "".join(f"  {address}) space={name};;\n" for address, name in spaces.items())
    text = f'#!/bin/sh\ncase $1 in\n{cases}esac\nshift\nexec ip netns exec $space sh -c "$*"\n'
    return str(script(Path("ssh.sh"), text).absolute())


def test_a_host_that_is_cut_off(endless, rmldnn, spaces):
    ip, names = spaces("ab")
    cable(ip, *names, 77)
    ssh = into({"10.213.77.1": names[0], "10.213.77.2": names[1]})
    Path("hosts.txt").write_text("10.213.77.1\n10.213.77.2\n")
    process = started("launch", "--hosts", "hosts.txt", "--ssh", ssh, "config.json", "--timeout", "5")
    until(process, "Train Epoch [  3/")
    ip("-n", names[1], "link", "set", f"{names[1]}77", "down")
    code, err = ended(process, 40)
    assert code == 1
    assert re.search(
        r"process 0 of 2 stops because process 1 on \S+ has given no sign of life for 5 s: it hangs, or", err
    )
    assert "--resume" in err
    goes_on(rmldnn)


def test_hosts_that_reach_the_first_but_not_each_other(endless, spaces):
    ip, names = spaces("abc")
    cable(ip, names[0], names[1], 77)
    cable(ip, names[0], names[2], 78)
    ip("-n", names[0], "addr", "add", "10.213.79.1/32", "dev", "lo")
    for name, number in ((names[1], 77), (names[2], 78)):
        ip("-n", name, "route", "add", "default", "via", f"10.213.{number}.1")
    ip("netns", "exec", names[0], "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    ssh = into(dict(zip(("10.213.79.1", "10.213.77.2", "10.213.78.2"), names, strict=True)))
    Path("hosts.txt").write_text("10.213.79.1\n10.213.77.2\n10.213.78.2\n")
    process = started("launch", "--hosts", "hosts.txt", "--ssh", ssh, "config.json", "--timeout", "20")
    code, err = ended(process, 100)
    assert code == 1
    assert "could not be joined: each machine has to reach each other one, on all ports" in err
    assert "Traceback" not in err
