"""Worker processes that read batches ahead of their use."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from rmldnn.data import holding, memory
from rmldnn.data.memory import Block, Lent, Placed, Pool
from rmldnn.data.sets import Dataset, Gathered, Request
from rmldnn.errors import DataError

_Answer: TypeAlias = tuple[Sequence[NDArray[Any] | Placed | None], Sequence[int] | None, Sequence[tuple[int, str]]]
"""Inputs and targets, and what `Gathered` says about them."""

_IDLE = -1
_SHOWN = 8
"""Names of samples that a message tells."""
_AHEAD = 2
"""Batches that every process may be ahead."""
_SIDES = 2
"""Inputs and targets."""
_HELD = 4
"""Batches that the run may hold at once, so that the processes find memory in which nothing is left."""


class _Pending(NamedTuple):
    """What a process was asked for, and the memory that it has for the answer."""

    request: Request
    blocks: Sequence[Block]
    future: Future[_Answer | DataError]


class Workers:
    """Processes that stay for all epochs, and are started when first needed.

    This is a pool of the standard library rather than torch's `DataLoader`: a process that dies is noticed at once and
    where its answer is wanted, no signal handler is replaced, and no number drawn from the generator of the run.

    Args:
        dataset: What they read.
        count: How many there are.
        skip_bad: Whether they leave out samples that cannot be read.
    """

    def __init__(self, dataset: Dataset, count: int, *, skip_bad: bool = False) -> None:
        self.count = count
        self._dataset = dataset
        self._skip_bad = skip_bad
        context = multiprocessing.get_context("fork")
        self._busy = context.RawArray("q", [_IDLE] * count)
        self._reading = context.RawArray("q", [holding.NONE] * count)
        turn = context.Value("i", 0)
        self._memory = Pool(_SIDES * (count * _AHEAD + 1 + _HELD))
        shared = dataset, self._busy, self._reading, turn, self._memory.blocks
        self._pool = ProcessPoolExecutor(count, context, _start, shared)

    def __del__(self) -> None:
        """Waits until the pool is gone: Python writes to its pipes when it ends, be they half closed."""
        if hasattr(self, "_pool"):
            with contextlib.suppress(
                RuntimeError, OSError
            ):  # this is the thread of the pool itself, or its pipes are gone
                self._pool.shutdown(cancel_futures=True)

    def gather(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Gathered]]:
        """Lets the processes read what is wanted; answers come in the order of the requests.

        Raises:
            DataError: As `Dataset.gather` says, or a process died.
        """
        pending: deque[_Pending] = deque()
        try:
            for request in requests:
                pending.append(self._submit(request))
                if len(pending) > self.count * _AHEAD:
                    yield self._received(pending)
            while pending:
                yield self._received(pending)
        except BrokenProcessPool as error:
            raise DataError(
                f"a process that reads samples died{self._held(pending)}; if memory ran out, a smaller batch size "
                "or `data.num_workers` needs less; `data.num_workers` 0 reads without further processes"
            ) from error
        finally:
            for left in pending:
                left.future.cancel()
                left.future.add_done_callback(functools.partial(self._released, left.blocks))
            self._memory.clear()

    def _released(self, blocks: Sequence[Block], _: object) -> None:
        self._memory.release(blocks)

    def _held(self, pending: Iterable[_Pending]) -> str:
        """What the processes were reading: all end with the one that died, and which that was cannot be told."""
        requests = {left.request.first: left.request for left in pending}
        held: list[int] = []
        for first, index in zip(self._busy, self._reading, strict=True):
            if first in requests:
                held += requests[first].indices.tolist() if index == holding.NONE else [index]
        names = [self._dataset.inputs.source.locate(index) for index in held]
        if len(names) < 2:
            return f" while it was reading {names[0]}" if names else ""
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        return f" while it was reading one of these: {shown}"

    def _submit(self, request: Request) -> _Pending:
        blocks = self._memory.take(_SIDES)
        numbers = [block.number for block in blocks]
        with warnings.catch_warnings():  # the first request starts the processes, beside the threads of torch
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            return _Pending(request, blocks, self._pool.submit(_gather, request, self._skip_bad, numbers))

    def _received(self, pending: deque[_Pending]) -> tuple[Request, Gathered]:
        request, blocks, future = pending[0]
        answer = future.result()
        if isinstance(answer, DataError):
            raise answer
        pending.popleft()
        sides, kept, skipped = answer
        inputs, targets = (self._memory.found(side) if isinstance(side, Placed) else side for side in sides)
        used = {side.block for side in sides if isinstance(side, Placed)}
        self._memory.release([block for block in blocks if block.number not in used])
        assert inputs is not None  # noqa: S101 - there always are some
        return request, Gathered(inputs, targets, kept, skipped)


_dataset: Dataset
"""What a worker process reads; it has it from its parent, without a copy."""
_busy: Any
"""Where each worker process notes the first place of the request that it works on."""
_blocks: Sequence[Block]
"""Memory that each worker process shares with its parent."""
_number: int
"""Number of this worker process."""


def _start(dataset: Dataset, busy: Any, reading: Any, turn: Any, blocks: Sequence[Block]) -> None:
    global _dataset, _busy, _blocks, _number  # the only way from the start of a process to its tasks
    _dataset, _busy, _blocks = dataset, busy, blocks
    with turn.get_lock():
        _number = turn.value
        turn.value += 1
    holding.keep_in(np.frombuffer(reading, np.int64)[_number:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends the pool
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _gather(request: Request, skip_bad: bool, blocks: Sequence[int]) -> _Answer | DataError:
    """Reads; an error comes back as a value, as that has no traceback."""
    _busy[_number] = request.first
    holding.hold(holding.NONE)
    lent = Lent([_blocks[number] for number in blocks])
    try:
        with memory.using(lent.empty):
            inputs, targets, kept, skipped = _dataset.gather(request, skip_bad)
        return lent.placed([inputs, targets]), kept, skipped
    except DataError as error:
        return error
    finally:
        _busy[_number] = _IDLE
