"""The developers' tools do what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.mark.slow
@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_training_that_is_killed_now_and_then_ends_as_an_undisturbed_one(ranks):
    command = [sys.executable, TOOLS / "chaos.py", "--kills", "3", "--epochs", "2", "--ranks", ranks]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("3 kills in ")
