"""Whether torch knows deterministic forms, on GPUs too, of what is computed."""

from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WITHOUT = ("nll_loss2d", "kthvalue", "median", "histc", "bincount", "put_", "avg_pool3d_backward", "pad2d_backward")


class _Watch(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__
        sum_of_floats = name.startswith("cumsum") and args[0].is_floating_point()
        assert not (sum_of_floats or name.startswith(WITHOUT)), f"GPUs have no deterministic form of {name}"
        return func(*args, **(kwargs or {}))


@contextmanager
def deterministic():
    """As `deterministic: true` has it; refuses what torch would refuse on a GPU."""
    torch.use_deterministic_algorithms(True)
    try:
        with _Watch():
            yield
    finally:
        torch.use_deterministic_algorithms(False)
