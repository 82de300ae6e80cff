"""A run that is told to leave before there is anything to save."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

WORDS = {
    signal.SIGTERM: "rmldnn: stopped by SIGTERM\n",
    signal.SIGUSR1: "rmldnn: stopped by SIGUSR1\n",
    signal.SIGINT: "rmldnn: interrupted\n",
}


def stopped_while_it_reads(file, number):
    """Starts a run that waits for the content of a file, and sends it a signal then."""
    os.mkfifo(file)
    process = subprocess.Popen(
        [sys.executable, "-m", "rmldnn", "config.json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    waits = None
    while waits is None and process.poll() is None:
        time.sleep(0.01)
        with suppress(OSError):  # nobody reads yet
            waits = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if waits is not None:
        os.close(waits)
    return process.returncode, out, err


@pytest.mark.parametrize("number", WORDS)
def test_while_the_configuration_is_read(tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    code, out, err = stopped_while_it_reads(tmp_path / "config.json", number)
    assert (code, out, err) == (128 + number, "", WORDS[number])


@pytest.mark.parametrize("number", WORDS)
def test_while_the_network_is_read(pictures, config, number):
    config["layers"] = "network.json"
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    code, _, err = stopped_while_it_reads(pictures / "network.json", number)
    assert (code, err) == (128 + number, WORDS[number])
    assert sorted(path.name for path in pictures.iterdir()) == ["config.json", "network.json", "test", "train"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_process_that_ends_hears_no_signals_any_more(number):
    """An exception while Python waits for workers would leave one that is waited for without end."""
    program = (
        "import os, signal\n"
        "from rmldnn.engine.leaving import leaving_at_once\n"
        "with leaving_at_once(): pass\n"
        f"os.kill(os.getpid(), {int(number)})\n"
        "print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "False\n"), result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_run_that_was_told_does_not_hear_it_again_while_it_ends(number):
    """The last word is where the state is."""
    program = (
        "import os\n"
        "from rmldnn.engine.leaving import Leave, leaving_at_once\n"
        "with leaving_at_once():\n"
        "    with Leave() as leave:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    print(leave.signal)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"{int(number)}\n"), result.stderr
