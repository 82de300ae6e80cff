"""How many trials of a sweep run at once."""

import pytest

from rmldnn.engine import cores
from rmldnn.verbs.sweeping import _workers


@pytest.mark.parametrize(
    ("visible", "text", "procs", "workers"),
    [
        ("0,1,3", "auto", 1, (3, ["0", "1", "3"])),
        ("0,1,3", "2", 1, (2, ["0", "1", "3"])),
        ("", "auto", 1, (8, [])),
        ("", "auto", 3, (2, [])),
        ("", "auto", 16, (1, [])),
        ("0,1", None, 1, (1, [])),
    ],
)
def test_as_many_as_there_are_gpus_or_else_cores(monkeypatch, visible, text, procs, workers):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(cores, "worth", lambda: 8)
    assert _workers(text, procs) == workers
