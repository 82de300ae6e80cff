import logging
import os

import pytest
import torch

from rmldnn.engine import cores
from rmldnn.engine.interface import open_engine
from rmldnn.engine.ranks import Ranks


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    """Nobody said how many threads there are to be, and torch takes four."""
    before = torch.get_num_threads()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cores, "usable", lambda: set(range(4)))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 9.0, 9.0))
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("quota", "threads"), [(None, 4), (2.0, 2), (1.5, 1), (8.0, 4)])
def test_threads_are_no_more_than_a_container_may_fill(monkeypatch, quota, threads):
    monkeypatch.setattr(cores, "quota", lambda: quota)
    open_engine(Ranks())
    assert torch.get_num_threads() == threads


def test_what_the_user_says_counts(monkeypatch):
    monkeypatch.setattr(cores, "quota", lambda: 2.0)
    open_engine(Ranks(threads=4))
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("load", "told"), [(4.5, False), (6.0, True)])
def test_a_busy_machine_is_told(monkeypatch, caplog, load, told):
    monkeypatch.setattr(cores, "quota", lambda: None)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    with caplog.at_level(logging.WARNING):
        open_engine(Ranks())
    assert ("OMP_NUM_THREADS=1" in caplog.text) is told
