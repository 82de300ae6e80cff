"""The developers' tools do what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.mark.slow
def test_the_smoke_run_keeps_up_with_plain_pytorch():
    command = [sys.executable, TOOLS / "benchmark_smoke.py", "--json", "--repeats", "2", "--epochs", "4"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    ratios = json.loads(result.stdout)
    assert ratios["whole_process"] <= 1.5
    assert ratios["training_step"] <= 1.15
