"""Numbers of the optimizer on a fast disk (ZeRO-Infinity, Rajbhandari et al. 2021): what it takes, how states see them.

DeepSpeed brings the numbers of one flat tensor at a time into memory, and back. Its reader and writer is compiled
where it is first used, and reads and writes past the system's cache, into memory that is locked.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from rmldnn.engine.pieces import Pieces3
from rmldnn.engine.zero import BUFFERS
from rmldnn.errors import ConfigError, Problem


def room(
    folder: str, optimizer: torch.optim.Optimizer, world: int, reader: Callable[[], None]
) -> TemporaryDirectory[str]:
    """A place for one process of one run, as DeepSpeed's files have the same names in all; it is to be cleaned up.

    Args:
        folder: On the disk; it is made.
        optimizer: Whose numbers are put there.
        world: Number of processes that share them.
        reader: Loads what reads and writes there, or fails.

    Raises:
        ConfigError: Something is missing.
    """
    _require_folder(folder)
    largest = max(parameter.numel() for group in optimizer.param_groups for parameter in group["params"])
    _require_memory(BUFFERS * -(-largest // world) * 4)
    _require(reader)
    return TemporaryDirectory(prefix="rmldnn-", dir=folder)


def _require_folder(folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="rmldnn-", dir=folder) as probe:
            os.close(os.open(Path(probe) / "probe", os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except PermissionError:
        message = f"must be a folder that you may write to, got `{folder}`; name another one, on a disk of each machine"
        raise ConfigError(Problem("engine.offload_path", message)) from None
    except OSError as error:
        message = (
            f"takes no files past the system's cache: `{folder}` ({error.strerror}); name a folder on a disk of each "
            "machine, which is not in memory (tmpfs)"
        )
        raise ConfigError(Problem("engine.offload_path", message)) from None


def _require_memory(size: int) -> None:
    system = ctypes.CDLL(None, use_errno=True)
    try:
        with mmap.mmap(-1, max(size, 1)) as memory:
            first = ctypes.c_char.from_buffer(memory)
            refused = system.mlock(ctypes.byref(first), ctypes.c_size_t(size))
            reason = os.strerror(ctypes.get_errno())
            del first  # which holds the memory
    except OSError as error:
        refused, reason = True, str(error.strerror)
    if refused:
        message = (
            f"locks {size / 2**20:,.0f} MiB of memory with `nvme`, which this machine refuses ({reason}); raise the "
            "limit (`ulimit -l`, `LimitMEMLOCK`), or take `cpu`"
        )
        raise ConfigError(Problem("engine.offload", message))


def _require(reader: Callable[[], None]) -> None:
    try:
        reader()
    except Exception as error:  # whatever a compiler may say
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = (
            f"needs DeepSpeed's operator async_io for `nvme`, which cannot be compiled here ({reason}); install a C++ "
            "compiler, ninja (on the PATH), the headers of Python and libaio (Debian: g++ python3-dev libaio-dev), or "
            "take `cpu`"
        )
        raise ConfigError(Problem("engine.offload", message)) from error


class Swapped(Pieces3):
    """Flat tensors of a single parameter each, which are on the disk, unless they are small."""

    @contextmanager
    def here(self, parameter: nn.Parameter) -> Iterator[None]:
        """Inside, what belongs to a parameter is in memory, and afterwards on the disk."""
        with self._in_memory(self._address(parameter)[0]):
            yield

    def clear(self, parameters: Sequence[nn.Parameter]) -> None:
        """Makes what belongs to no parameter zero."""
        for parameter in parameters:
            with self.here(parameter):
                super().clear([parameter])

    def refresh(self) -> None:
        """Lets the flat tensors be what the parameters are."""
        for place, weights in enumerate(self._zero.fp16_partitioned_groups_flat):
            with self._in_memory(place):
                self.all()[place].data.copy_(weights)

    def _collect(self, parameter: nn.Parameter, flat: Tensor, rank: int) -> Tensor | None:
        with self.here(parameter):
            return super()._collect(parameter, flat, rank)

    @contextmanager
    def _in_memory(self, place: int) -> Iterator[None]:
        if not self._zero._swappable_optimizer_subgroup(place):
            yield
            return
        timers: set[str] = set()
        self._zero._optimizer_states_and_gradient_swap_in(place, timers)
        yield
        self._zero._optimizer_states_and_gradient_swap_out(place, timers)
