from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from rmldnn.output.console import open_console
from rmldnn.output.plain import PlainConsole
from rmldnn.output.terminal import TerminalConsole

log = logging.getLogger("rmldnn")


@pytest.mark.parametrize(("kind", "kind_of_console"), [("plain", PlainConsole), ("rich", TerminalConsole)])
def test_a_console_can_be_asked_for(kind, kind_of_console):
    console = open_console(kind)
    console.close()
    assert isinstance(console, kind_of_console)


def test_a_file_or_pipe_gets_the_plain_log(capsys):
    console = open_console()
    console.close()
    assert isinstance(console, PlainConsole)


@pytest.mark.parametrize(("term", "kind"), [("xterm", "TerminalConsole"), ("dumb", "PlainConsole")])
def test_a_terminal_gets_the_rich_console_if_it_can_move_its_cursor(term, kind):
    leader, follower = os.openpty()
    program = (
        "import sys; from rmldnn.output.console import open_console; sys.stderr.write(type(open_console()).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=follower,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": term},
        text=True,
        check=True,
    )
    os.close(leader)
    os.close(follower)
    assert done.stderr == kind


def test_the_plain_log_imports_neither_rich_nor_torch():
    program = (
        "import sys; from rmldnn.output.console import open_console; open_console('plain').close();"
        "print(sorted({'rich', 'torch', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_records_become_lines(capsys):
    console = open_console("plain")
    log.info("Discovering training labels...")
    console.close()
    assert capsys.readouterr().out.endswith("] Discovering training labels...\n")


def test_warnings_say_so(capsys):
    console = open_console("plain")
    logging.getLogger("rmldnn.data").warning("3 files skipped")
    console.close()
    assert capsys.readouterr().out.endswith("] Warning: 3 files skipped\n")


def test_a_closed_console_leaves_the_logger_as_it_was():
    before = (log.level, log.propagate, list(log.handlers))
    console = open_console("plain")
    console.close()
    console.close()
    assert (log.level, log.propagate, log.handlers) == before


def test_records_are_not_written_twice_by_a_root_handler(capsys, caplog):
    console = open_console("plain")
    log.info("once")
    console.close()
    assert not caplog.records


def test_the_silent_console_is_silent(capfd, run):
    console = open_console("silent")
    console.header(2)
    console.section("Device(s)", [("CPU", "")])
    log.warning("not by me")
    for step in run():
        console.consume(step)
    console.finish([("Checkpoints", "./model")])
    console.close()
    assert capfd.readouterr() == ("", "")
