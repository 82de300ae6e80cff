"""The page about scaling says of published runs what the model says of them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_tables_of_the_page_are_what_the_model_gives():
    command = [sys.executable, ROOT / "tools/published_scaling.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in printed if line.startswith("|")]
    assert len(rows) == 2 * 2 + 10 + 8
    assert [row for row in rows if row not in page] == []
