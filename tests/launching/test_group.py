"""Real processes, small enough to start at once."""

import os
import signal
import sys
import threading
import time

import pytest

from rmldnn.launching import group
from rmldnn.launching.group import Member

TELLS = """
import signal, sys, time
def told(number, frame):
    with open(sys.argv[1], "a") as file:
        file.write(f"{number}\\n")
    sys.exit(int(sys.argv[2]))
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, told)
open(sys.argv[1], "w").close()
time.sleep(float(sys.argv[3]))
"""
"""Writes down the signal that it gets, and ends with an exit code."""


def python(text, *arguments, name="one", **options):
    return Member(name, [sys.executable, "-c", text, *map(str, arguments)], **options)


def tells(file, code=0, seconds=60):
    return python(TELLS, file, code, seconds)


def waits_for(file, then):
    return python(f"import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\n{then}", file)


def test_all_ended_well():
    assert group.run([python(""), python("")]) == 0


def test_the_first_failure_counts_and_ends_the_others(tmp_path):
    file = tmp_path / "signals"
    assert group.run([tells(file, code=5), waits_for(file, "sys.exit(3)")]) == 3
    assert file.read_text() == f"{int(signal.SIGTERM)}\n"


def test_who_does_not_end_when_told_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(group, "GRACE", 0.2)
    file = tmp_path / "there"
    ignores = "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf = python(ignores + "open(sys.argv[1], 'w').close()\ntime.sleep(60)", file)
    began = time.monotonic()
    assert group.run([deaf, waits_for(file, "sys.exit(4)")]) == 4
    assert time.monotonic() - began < 30
    assert deaf.process.returncode == -signal.SIGKILL


def test_the_signal_that_ended_a_process_is_told(capfd):
    killed = python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", name="process 1")
    assert group.run([killed]) == 128 + signal.SIGKILL
    assert capfd.readouterr().err == (
        "rmldnn: error: process 1 was ended by SIGKILL; the machine may have run out of memory\n"
    )


def test_last_words_of_who_failed_are_told_and_of_no_other(capfd):
    quiet = python("print('all is well')", name="process 1")
    loud = python("import sys; print('out'); sys.exit('err')", name="process 2")
    assert group.run([quiet, loud]) == 1
    assert capfd.readouterr() == ("", "[process 2] out\n[process 2] err\n")


def test_who_speaks_is_heard_as_it_is(capfd):
    assert group.run([python("import sys; print('out'); print('err', file=sys.stderr)", speaks=True)]) == 0
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signals_go_to_all_of_them_once_and_nobody_has_failed(tmp_path, capfd, number):
    files = [tmp_path / "one", tmp_path / "two"]

    def send():
        while not all(file.exists() for file in files):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    slow = python(TELLS.replace("    sys.exit", "    time.sleep(0.5)\n    sys.exit"), files[0], 128 + number, 60)
    code = group.run([slow, tells(files[1], code=128 + number)])
    sender.join()
    assert code == 128 + number
    assert [file.read_text() for file in files] == [f"{int(number)}\n"] * 2
    assert capfd.readouterr() == ("", "")


def test_orders_are_passed_on(tmp_path):
    file = tmp_path / "signals"
    orders = iter([signal.SIGUSR1])
    code = group.run([tells(file, code=7)], lambda: next(orders, 0) if file.exists() else 0)
    assert (code, file.read_text()) == (7, f"{int(signal.SIGUSR1)}\n")


def test_some_read_their_signals(tmp_path):
    file = tmp_path / "signals"
    obeys = python("import sys\nopen(sys.argv[1], 'w').write(input())", file, obeys=True)
    orders = iter([signal.SIGUSR1])
    assert group.run([obeys], lambda: next(orders, 0)) == 0
    assert file.read_text() == str(int(signal.SIGUSR1))


def test_meanings_of_exit_codes(capfd):
    assert group.run([python("import sys; sys.exit(79)", meanings={79: "nothing is there"})]) == 79
    assert capfd.readouterr().err == "rmldnn: error: nothing is there\n"


def test_a_program_that_is_not_there_leaves_no_process_behind(tmp_path):
    first = tells(tmp_path / "signals")
    with pytest.raises(FileNotFoundError):
        group.run([first, Member("two", [str(tmp_path / "none")])])
    assert first.process.poll() is not None
