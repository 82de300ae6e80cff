"""Counts how often a program waits for the GPU, as far as torch sees it."""

import sys
import warnings
from contextlib import contextmanager

import pytest
import torch


class Places(list):
    """Where it waited, `file:line`, in order; the lines are those of Python code."""


@contextmanager
def waits():
    """Notes every wait for the device, in a list that may be emptied."""
    places = Places()

    def note(message, category, filename, lineno, file=None, line=None):
        if "synchronizing CUDA operation" in str(message):
            places.append(f"{filename}:{lineno}")

    def synchronize(*arguments):
        caller = sys._getframe(1)
        places.append(f"{caller.f_code.co_filename}:{caller.f_lineno}")
        whole(*arguments)

    whole = torch.cuda.synchronize  # which torch does not warn of
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        warnings.showwarning = note
        patch.setattr(torch.cuda, "synchronize", synchronize)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
